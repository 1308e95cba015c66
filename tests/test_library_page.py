"""The Questionnaires page: every question in two languages, and the same errors as `pomey check`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import LANGUAGES, PHONE, ROOT, Server, Visitor, faults, ready, too_wide
from playwright.sync_api import Page
from streamlit.testing.v1 import AppTest
from test_pages import html, open_page, text_of

from dashboard import frame, library
from dashboard.checking import check_document
from dashboard.commands import main
from matrix import load_document, load_matrix, load_sources
from matrix.reader import SIZE_LIMIT
from questionnaires import load_library
from questionnaires.checker import LIBRARY

pytestmark = pytest.mark.usefixtures("page_store")
BAD = sorted((ROOT / "tests" / "bad").glob("*.yaml"))
WRONG = ROOT / "tests" / "bad" / "questionnaire-unknown-keys.yaml"
OPEN_ALL = "document.querySelectorAll('details').forEach(one => { one.open = true })"


def hand_in(test: AppTest, name: str, data: bytes) -> str:
    """Hand a file in and read the page."""
    test.file_uploader[0].set_value((name, data, "application/yaml"))
    test.run()
    assert not test.exception
    return text_of(test)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_both_wordings_stand_side_by_side_in_two_languages(lang: str) -> None:
    """A cell's questions have both wordings, options, anchors, proof, advice and sources, in two languages."""
    test = open_page("questionnaires", lang=lang)
    text, questionnaire, matrix = text_of(test), load_library()["hospital"], load_matrix()
    second = next(one for one in matrix.languages if one != lang)
    first = questionnaire.items[0]
    items = [item for item in questionnaire.items if (item.axis, item.level) == (first.axis, first.level)]
    assert len(items) >= 3
    for item in items:
        assert f">{item.id} " in text
        for one in (lang, second):
            for lens in library.LENSES:
                ask = item.asked_of(lens)
                if ask:
                    assert ask.text[one] in text
                    assert all(option.text[one] in text for option in questionnaire.options(item.id, lens))
                    assert all(anchor[one] in text for anchor in ask.anchors.values())
            assert item.advice[one] in text
        assert all(matrix.title("evidence_kinds", kind, lang) in text for kind in item.evidence)
        assert all(load_sources()[cited.id].title in text for cited in item.sources)
    third = next(one for one in matrix.languages if one not in (lang, second))
    assert items[0].advice[third] not in text
    assert f'data-language="{lang}"' in text


def test_every_cell_opens() -> None:
    """Each button of the matrix shows the questions of its cell, as many as it says, and no others."""
    test = open_page("questionnaires", lang="en")
    seen = 0
    for key in [key for button in test.button if (key := button.key or "").startswith("lib-cell-")]:
        button = test.button(key=key)
        count = int(button.label.rpartition(" ")[2])
        assert button.disabled is (count == 0)
        if count:
            button.click().run()
            assert not test.exception
            assert html(test).count('class="lib-item"') == count
            seen += count
    assert seen == len(load_library()["hospital"].items)


def test_one_language_alone_and_another_beside() -> None:
    """The second language can be left out or changed, and follows the page's language when that changes."""
    test = open_page("questionnaires", lang="en")
    item = load_library()["hospital"].items[0]
    test.selectbox(key="lib-second|en").set_value("").run()
    assert item.advice["fr"] not in text_of(test)
    test.selectbox(key="lib-second|en").set_value("nl").run()
    assert item.advice["nl"] in text_of(test)
    test.button(key="language-nl").click().run()
    assert test.selectbox(key="lib-first|nl").value == "nl"
    assert not test.exception


def test_download_is_the_file_itself() -> None:
    """Each questionnaire of the library is kept in a file of its name, which is what the page hands out."""
    for id_, one in load_library().items():
        assert load_document(LIBRARY / f"{id_}.yaml").data["version"] == one.version
    assert len(open_page("questionnaires").get("download_button")) == 1


@pytest.mark.parametrize("lang", LANGUAGES)
def test_errors_are_those_of_the_command(lang: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every bad file has the same problems on the page, in its language, as `pomey check` prints."""
    test = open_page("questionnaires", lang=lang)
    for path in BAD:
        _, problems = check_document(load_document(path, name=path.name))
        assert problems
        text = hand_in(test, path.name, path.read_bytes())
        for problem in problems[: library.LISTED]:
            assert problem.text(lang) in text
        assert frame.words()("lib-line", lang, n=problems[0].line) in text
        assert main(["check", str(path)]) == 1
        printed = capsys.readouterr().err.replace(str(path), path.name).splitlines()
        assert printed == [problem.text("en") for problem in problems]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_good_file_is_said_to_be_good(lang: str) -> None:
    """A questionnaire, a rule and the matrix pass, and the page says what they are."""
    test = open_page("questionnaires", lang=lang)
    rules = ROOT / "scoring" / "rulebook"
    for kind, path in (
        ("questionnaire", LIBRARY / "hospital.yaml"),
        ("rule", rules / "presence-without-power.yaml"),
        ("matrix", ROOT / "matrix" / "pomey.yaml"),
        ("sources", ROOT / "matrix" / "sources.yaml"),
    ):
        text = hand_in(test, path.name, path.read_bytes())
        said = frame.words()("lib-fine", lang, file=path.name, kind=frame.words()(f"lib-kind-{kind}", lang))
        assert said in text
        assert "lib-wrong" not in text


@pytest.mark.parametrize("lang", LANGUAGES)
def test_wrong_kind_and_wrong_size_are_told_politely(lang: str) -> None:
    """A PDF, a workbook under a false name, an empty file and a huge one each get a sentence that says what to do."""
    test = open_page("questionnaires", lang=lang)
    words = frame.words()
    assert words("lib-not-yaml", lang, file="a.pdf") in hand_in(test, "a.pdf", b"%PDF-1.4")
    for name, data in (("b.yaml", b"PK\x03\x04\x00\xff"), ("c.yml", b""), ("d.YAML", b"a: 1\n" * SIZE_LIMIT)):
        _, problems = check_document(load_document(data, name=name))
        assert problems[0].text(lang) in hand_in(test, name, data)


def test_file_of_others_is_shown_inert() -> None:
    """HTML in a file's name or lines is shown as it was written and does nothing."""
    test = open_page("questionnaires", lang="en")
    hand_in(test, "<img src=x>.yaml", b"items: <script>alert(1)</script>\n")
    body = html(test)
    assert "<img" not in body
    assert "<script" not in body
    assert "&lt;script&gt;alert(1)" in body


# --- in a real browser ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page, on an empty store."""
    with Server(tmp_path_factory.mktemp("library")) as server:
        yield f"{server.url}/questionnaires"


def _visit(page: Page, address: str) -> None:
    page.goto(address)
    page.wait_for_selector(".lib-item")
    ready(page)


def _hand_in(page: Page, file: Path) -> None:
    page.set_input_files('[data-testid="stFileUploaderDropzoneInput"]', file)
    page.wait_for_selector(".lib-verdict")
    ready(page)


@pytest.mark.browser
@pytest.mark.parametrize("lang", LANGUAGES)
def test_wrong_file_shows_its_line(lang: str, address: str, visitor: Visitor) -> None:
    """A file with errors, chosen in a browser, shows each error with its line and the line as it was written."""
    page = visitor(locale=lang)
    _visit(page, f"{address}?lang={lang}")
    browse = page.locator(".st-key-lib-check button").first
    assert frame.words()("lib-browse", lang) in browse.evaluate("e => getComputedStyle(e, '::after').content")
    _hand_in(page, WRONG)
    told = page.locator(".lib-verdict").inner_text()
    _, problems = check_document(load_document(WRONG, name=WRONG.name))
    written = WRONG.read_text(encoding="utf-8").splitlines()
    for problem in problems:
        assert frame.words()("lib-line", lang, n=problem.line) in told
        assert written[problem.line - 1].strip() in told
        assert problem.text(lang) in told


@pytest.mark.browser
@pytest.mark.parametrize("lang", LANGUAGES)
def test_phone_never_scrolls_sideways(lang: str, address: str, visitor: Visitor) -> None:
    """At 390 pixels nothing is wider than the screen, with every answer unfolded and a wrong file handed in."""
    page = visitor(viewport=PHONE, locale=lang)
    _visit(page, f"{address}?lang={lang}")
    _hand_in(page, WRONG)
    page.evaluate(OPEN_ALL)
    assert not too_wide(page)


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessible(scheme: str, address: str, visitor: Visitor) -> None:
    """No violation of WCAG 2.2 AA that axe can see, with a wrong file handed in, in light and dark."""
    page = visitor(color_scheme=scheme)
    _visit(page, f"{address}?lang=fr")
    _hand_in(page, WRONG)
    page.evaluate(OPEN_ALL)
    assert not faults(page)
