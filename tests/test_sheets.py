"""The printed sheets: what the data sheet says of a campaign, and PDFs that open, fit and say the same."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import typst
import yaml

from data import Campaign, Institution, Store
from matrix import load_matrix
from questionnaires import load_library
from reports import data_sheet, data_sheet_pdf, data_sheet_title, qr_svg, sheets, waiting_sheet

LANGUAGES = ("fr", "nl", "en")
TEXTS = Path(sheets.__file__).parent / "texts"
LINK = "https://partnership.hospital.example/s/" + "aZ09_-bY18cX27dW36eV4"
ON = dt.date(2026, 3, 1)
TAGGED = (b"/StructTreeRoot", b"pdfuaid")


@pytest.fixture
def house() -> Institution:
    """A Belgian hospital whose name has a ligature and markup of three languages in it."""
    name = "Cœur *offices* #panic() <b>"
    return Institution("h", name, "be", "general", 200, synthetic=False, created=dt.datetime.now(dt.UTC))


@pytest.fixture
def campaign(house: Institution) -> Iterator[Campaign]:
    """A campaign with an anchor and a last day."""
    with Store.open("sqlite://") as store:
        known = store.add_institution(house.name, id="h", country="be")
        made = store.add_campaign(known.id, load_library()["hospital"], title="2026", year=2026)
        yield store.edit_campaign(made.id, anchor="Dominique, 04 123", closes=dt.date(2026, 12, 18))


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What each PDF made in a test says: the same template with the same values, as text of HTML."""
    seen: list[str] = []
    compiled = typst.compile

    def compile_(file: str, **options: Any) -> Any:
        seen.append(_text(compiled, file, options["sys_inputs"]))
        return compiled(file, **options)

    monkeypatch.setattr(typst, "compile", compile_)
    return seen


def _text(compiled: Any, file: str, values: dict[str, str]) -> str:
    """Every string the template is given, and that it uses them all: a key it never names is not printed."""
    source = Path(file).read_text(encoding="utf-8")
    given = json.loads(values["data"])
    for key in given:
        assert f"d.{key}" in source, key
    assert compiled(file, sys_inputs=values, format="svg")
    return unescape(json.dumps(given, ensure_ascii=False))


def flat(sections: list[sheets.Section]) -> str:
    """All that a sheet says."""
    lines = []
    for title, parts in sections:
        lines.append(title)
        for part in parts:
            lines += [part] if isinstance(part, str) else part
    return "\n".join(lines)


def _texts(found: Any) -> Iterator[dict[str, str]]:
    """Every entry of a file that speaks languages."""
    if isinstance(found, dict):
        if "fr" in found and isinstance(found["fr"], str):
            yield {key: text for key, text in found.items() if key not in {"when", "unless"}}
            return
        found = list(found.values())
    if isinstance(found, list):
        for one in found:
            yield from _texts(one)


@pytest.mark.parametrize("path", sorted(TEXTS.glob("*.yaml")), ids=lambda path: path.stem)
def test_texts_are_complete(path: Path) -> None:
    """Each text of the sheets is there in every language, with the same blanks to fill."""
    entries = list(_texts(yaml.safe_load(path.read_text(encoding="utf-8"))))
    assert len(entries) > 10
    for texts in entries:
        assert set(texts) == set(load_matrix().languages), texts["fr"]
        blanks = [sorted(re.findall(r"{(\w+)}", text)) for text in texts.values()]
        assert all(one == blanks[0] for one in blanks), texts["fr"]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_data_sheet_tells_this_campaign(lang: str, campaign: Campaign, house: Institution) -> None:
    """The sheet names the controller, the contact, the period, the way to withdraw and whom to complain to."""
    changed = dataclasses.replace(campaign, retention_months=37)
    text = flat(data_sheet(changed, house, lang, address="https://here.example"))
    assert house.name in text
    assert "Dominique, 04 123" in text
    assert "37" in text
    assert "2026" in text
    assert "https://here.example/withdraw" in text
    assert {"fr": "autoriteprotection", "nl": "gegevensbescherming", "en": "dataprotection"}[lang] in text
    assert "2016/679" in text
    assert "{" not in text


@pytest.mark.parametrize("lang", LANGUAGES)
def test_data_sheet_leaves_out_what_a_campaign_lacks(
    lang: str, campaign: Campaign, house: Institution
) -> None:
    """Without contact, last day or known country, the sheet says whom to ask instead and invents nothing."""
    bare = dataclasses.replace(campaign, anchor="", closes=None)
    here = flat(data_sheet(campaign, house, lang)).splitlines()
    text = flat(data_sheet(bare, dataclasses.replace(house, country="ca"), lang))
    assert "Dominique" not in text
    assert "None" not in text
    assert "{" not in text
    assert "autoriteprotection" not in text
    assert "/withdraw" in text
    outside = [line for line in text.splitlines() if line not in here]
    assert len(outside) == 3  # the contact, the authority, the law elsewhere


def test_data_sheet_is_plain_data(campaign: Campaign, house: Institution) -> None:
    """Each section has a title and parts that are paragraphs or lists of lines, none of them empty."""
    for lang in LANGUAGES:
        sections = data_sheet(campaign, house, lang)
        assert data_sheet_title(lang)
        for section in sections:
            assert section.title
            assert section.parts
            for part in section.parts:
                assert part
                assert isinstance(part, str) or all(isinstance(line, str) and line for line in part)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_data_sheet_pdf_says_the_same(
    lang: str, campaign: Campaign, house: Institution, pages: list[str]
) -> None:
    """The PDF is accessible, speaks its language, has every line of the sheet and the officer's list, and is dated."""
    made = data_sheet_pdf(campaign, house, lang, ON)
    assert made.startswith(b"%PDF-")
    for mark in (*TAGGED, f"/Lang({lang})".encode()):
        assert mark in made
    [text] = pages
    for line in flat(data_sheet(campaign, house, lang)).splitlines():
        assert line in text
    assert "art. 28" in text
    assert "2026" in text


@pytest.mark.parametrize("langs", [("fr",), ("nl",), ("en",), ("nl", "fr"), LANGUAGES], ids="-".join)
@pytest.mark.parametrize("role", ["patient", "professional"])
def test_waiting_sheet_fits_one_page(
    role: str, langs: tuple[str, ...], campaign: Campaign, house: Institution, pages: list[str]
) -> None:
    """The sheet is one accessible page with the code, the link, the minutes, the last day and the contact."""
    made = waiting_sheet(campaign, house, LINK, role, langs, minutes=9, expires=dt.date(2026, 12, 18))
    for mark in (*TAGGED, f"/Lang({langs[0]})".encode()):
        assert mark in made
    assert _count(made) == 1
    [text] = pages
    for said in (LINK, "Dominique, 04 123", house.name):
        assert json.dumps(said, ensure_ascii=False)[1:-1] in text
    for lang in langs:
        assert load_matrix().title("roles", role, lang) in text
        assert sheets._waiting()("minutes", lang, n=9) in text


@pytest.mark.parametrize("langs", [("fr",), LANGUAGES], ids="-".join)
def test_long_names_still_fit_one_page(
    langs: tuple[str, ...], campaign: Campaign, house: Institution
) -> None:
    """The longest name and contact the store takes leave room for the code on one page."""
    long = dataclasses.replace(house, name="Centre hospitalier " * 15)
    talkative = dataclasses.replace(campaign, anchor="Dominique Lefèvre " * 16)
    made = waiting_sheet(talkative, long, LINK, "association", langs, minutes=9, expires=ON)
    assert _count(made) == 1


def _count(pdf: bytes) -> int:
    """The pages of a PDF, as its page tree says."""
    found = re.search(rb"/Type/Pages/Count (\d+)", pdf)
    assert found
    return int(found[1])


def test_letters_no_font_has_cost_no_sheet(campaign: Campaign, house: Institution) -> None:
    """A name in emoji, Chinese or control characters still gives both sheets."""
    odd = dataclasses.replace(house, name="\N{GRINNING FACE} \u4e2d\u6587 \x07")
    assert data_sheet_pdf(campaign, odd, "fr", ON).startswith(b"%PDF-")
    assert waiting_sheet(campaign, odd, LINK, "patient", LANGUAGES, minutes=9).startswith(b"%PDF-")


def test_a_broken_template_is_no_sheet() -> None:
    """What is wrong with a template itself is an error, not an empty page."""
    with pytest.raises(typst.TypstError):
        sheets._pdf("waiting.typ", {"title": "without the rest"})


def test_synthetic_sheets_say_so(campaign: Campaign, house: Institution, pages: list[str]) -> None:
    """A made-up hospital's sheets cannot be mistaken for real ones."""
    invented = dataclasses.replace(campaign, synthetic=True)
    for made, mark in ((campaign, False), (invented, True)):
        waiting_sheet(made, house, LINK, "patient", ("fr",), minutes=9)
        data_sheet_pdf(made, house, "fr", ON)
        assert ["Exemple fictif" in text for text in pages[-2:]] == [mark, mark]


def test_qr_code_is_black_on_white_with_its_margin() -> None:
    """The code is a standalone picture that a dark page cannot swallow, different for each link."""
    code = qr_svg(LINK)
    assert code.startswith("<svg")
    assert 'xmlns="http://www.w3.org/2000/svg"' in code
    assert "#fff" in code
    assert code != qr_svg(LINK + "x")
