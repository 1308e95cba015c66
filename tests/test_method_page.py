"""The Method page: its texts and table are true, its example is computed live, and everybody can read it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import LANGUAGES, PHONE, Server, Visitor, faults, ready, too_wide
from playwright.sync_api import Page, expect
from streamlit.testing.v1 import AppTest
from test_pages import open_page, text_of

from dashboard import frame, method, worked
from matrix import Refused, load_matrix, load_sources, number
from questionnaires import load_library
from scoring import load_rulebook

LEAST = {"fr": "au moins", "nl": "minstens", "en": "at least"}


def shown(test: AppTest) -> dict[str, str]:
    """The numbers and the state in the example's summary, by name."""
    found = re.findall(r'<dd data-worked="(\w+)">(?:<span[^>]*>[^<]*</span>)?([^<]*)</dd>', text_of(test))
    return dict(found)


def slide(test: AppTest, lens: str, item: str, option: str, lang: str = "en") -> AppTest:
    """Move one slider of the example."""
    return test.select_slider(key=f"worked|{lens}|example.{item}|{lang}").set_value(option).run()


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.usefixtures("page_store")
def test_page_speaks_every_language(lang: str) -> None:
    """Every section, cell, condition and source is on the page in the language asked for, with no blank left open."""
    text = text_of(open_page("method", lang=lang))
    matrix = load_matrix()
    for section in method.sections():
        assert f'id="m-{section.id}">{section.title[lang]}</h2>' in text
    for cell in matrix.cells:
        assert cell.text[lang] in text
    for condition in matrix.conditions:
        if condition.id in ("decision", "training", "recognition"):
            assert all(meaning[lang] in text for meaning in condition.meaning.values())
    for id_, source in load_sources().items():
        assert f'id="m-source-{id_}"' in text
        assert source.note[lang] in text
    for rule in load_rulebook().rules.values():
        assert rule.cap is None or rule.because[lang] in text
    assert not re.findall(r"{\w+}|\*\*|\[[a-z]\w*\]", text)


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.usefixtures("page_store")
def test_example_begins_as_defined(lang: str) -> None:
    """Declared 3.0, experienced 2.5, gap 0.175, retained 2.5, and nothing proven yet."""
    test = open_page("method", lang=lang)
    values = {"declared": 3.0, "experienced": 2.5, "retained": 2.5}
    expected = {name: number(value, lang) for name, value in values.items()}
    expected |= {"gap": number(0.175, lang, digits=3), "state": frame.words()("state-unproven", lang)}
    assert shown(test) == expected
    terms = [number(value, lang) for value in (0.3, 0.0, 0.4, 0.0)]
    assert f"({' + '.join(terms)}) ÷ 4 = {expected['gap']}" in text_of(test)


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.usefixtures("page_store")
def test_patients_who_do_not_know_leave_bounds(lang: str) -> None:
    """When patients do not know about level 2, they see at least 1.0 and at most 2.5, and so is it retained."""
    test = open_page("method", lang=lang)
    test.checkbox(key=f"worked|dk|experienced|example.surveys|{lang}").check().run()
    assert not test.exception
    one, high = number(1.0, lang), number(2.5, lang, digits=2)
    values = shown(test)
    assert values["experienced"] == values["retained"] == f"{LEAST[lang]} {one}"
    assert values["gap"] == number(0.7 / 3, lang, digits=3)
    assert f"1 + 1 + {number(0.5, lang, digits=2)} = {high}" in text_of(test)
    assert test.select_slider(key=f"worked|experienced|example.surveys|{lang}").disabled


@pytest.mark.usefixtures("page_store")
def test_slider_moves_every_number() -> None:
    """What patients say of their seats changes their position, the gap, the retained position and the working."""
    test = slide(open_page("method", lang="en"), "experienced", "members", "v10")
    values = shown(test)
    assert (values["experienced"], values["gap"], values["retained"]) == ("3.0", "0.000", "3.0")
    assert "1.0 ÷ 0.60 = 1.67, so 1: reached" in text_of(test)


@pytest.mark.usefixtures("page_store")
def test_ceiling_is_shown_when_it_holds() -> None:
    """Partnership claimed and lived with little training is retained at collaboration, and the ceiling says why."""
    test = open_page("method", lang="en")
    for lens in worked.VOICES:
        for item in ("documents", "surveys", "members", "votes"):
            test = slide(test, lens, item, "v10")
    assert shown(test)["retained"] == "4.0"
    test.toggle(key="worked|training|en").set_value(True).run()
    assert shown(test)["retained"] == "3.0"
    assert load_rulebook()["ceiling-training"].title["en"] in text_of(test).split('class="me-work"')[1]
    assert shown(test)["state"] == frame.words()("state-watch", "en")


@pytest.mark.usefixtures("page_store")
def test_ready_made_variants_and_back() -> None:
    """The two variants are one click away, and so is the example."""
    test = open_page("method", lang="en")
    before = shown(test)
    test.button(key="method-preset-training").click().run()
    assert shown(test)["state"] == frame.words()("state-watch", "en")
    test.button(key="method-preset-unknown").click().run()
    assert shown(test)["retained"] == "at least 1.0"
    test.button(key="method-reset").click().run()
    assert shown(test) == before


@pytest.mark.usefixtures("page_store")
def test_everyone_silent_is_no_position() -> None:
    """When nobody knows anything, there is no position, no gap and nothing exposed, and the page says so."""
    test = open_page("method", lang="en")
    for lens in worked.VOICES:
        for item in ("documents", "surveys", "members", "votes"):
            test.checkbox(key=f"worked|dk|{lens}|example.{item}|en").check()
    test.run()
    assert not test.exception
    values = shown(test)
    assert {values[name] for name in ("declared", "experienced", "gap", "retained")} == {"–"}  # noqa: RUF001
    assert frame.words()("method-retained-none", "en") in text_of(test)


@pytest.mark.usefixtures("page_store")
def test_answers_survive_a_change_of_language() -> None:
    """The example stays as it was set when the language changes."""
    test = slide(open_page("method", lang="en"), "declared", "votes", "v6")
    assert shown(test)["declared"] == "4.0"
    test.button(key="language-nl").click().run()
    assert not test.exception
    assert shown(test)["declared"] == "4,0"


def test_every_option_of_the_example_scores() -> None:
    """Every option on either side of each question has a score within the ladder and its working."""
    options = [one.id for one in worked.example().scales["share"]] + ["dk"]
    items = [one.id for one in worked.example().items if one.level]
    for said in options:
        for lived in options:
            given = tuple(
                (lens, item, answer)
                for lens, answer in (("declared", said), ("experienced", lived))
                for item in items
            )
            result = worked.scored(given, training=False)
            kept = result["axes"]["services"]["retained"]
            assert kept is None or 0 <= kept["position"] <= kept["high"] + 1e-9 <= 4 + 1e-9
            for step in worked.STEPS:
                assert "nan" not in step(result, "en")


def test_systems_are_really_carried() -> None:
    """Each question and rule named for a system cites one of that system's sources."""
    items = {item.id: item for one in load_library().values() for item in one.items}
    rules = load_rulebook()
    untrue = [
        f"{system.id}: {one}"
        for system in method.systems()
        for one in (*system.items, *system.rules)
        if not {c.id for c in (items[one] if one in items else rules[one]).sources} & set(system.sources)
    ]
    assert not untrue
    for system in method.systems():
        assert system.items or system.rules or system.conditions or system.roles or system.section


def test_texts_name_only_numbers_that_exist() -> None:
    """The numbers on the page are the matrix file's own."""
    values = method._numbers("en")
    at = load_matrix().thresholds
    assert values["tau"] == f"{at.tau:.2f}"
    assert [values[f"kappa_{place}"] for place in range(1, 5)] == [f"{one:.2f}" for one in at.kappa]
    assert values["evidence_days"] == str(at.evidence_days)
    assert values["emerging_position"] == "3"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "roles: [relative]",
            "roles: [relatives]",
            "'relatives' is not accepted here. Did you mean 'relative'?",
        ),
        ("sources: [cnom2025]", "sources: [cnom]", "The source 'cnom' is not in sources.yaml."),
        ("rules: [ethics-seat-only]", "rules: [ethics-seat]", "Did you mean 'ethics-seat-only'?"),
        ("section: matrix", "section: matrixes", "Did you mean 'matrix'?"),
    ],
)
def test_wrong_system_is_refused_with_its_place(old: str, new: str, told: str, tmp_path: Path) -> None:
    """A table that names something unknown is refused with file, line and a near miss."""
    text = (method.TEXTS / "systems.yaml").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "systems.yaml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    line = text[: text.index(old)].count("\n") + 1
    with pytest.raises(Refused) as refused:
        method.systems(path)
    assert f"systems.yaml:{line}: " in refused.value.text("en")
    assert told in refused.value.text("en")


def test_wrong_text_is_refused_with_its_place(tmp_path: Path) -> None:
    """A citation of no source and a missing language are both refused."""
    text = (method.TEXTS / "method.yaml").read_text(encoding="utf-8")
    path = tmp_path / "method.yaml"
    broken = text.replace("[hahn2017]", "[hahn2018]", 1).replace(', en: "The limits"}', "}", 1)
    path.write_text(broken, encoding="utf-8")
    with pytest.raises(Refused) as refused:
        method.sections(path)
    told = refused.value.text("en")
    assert "The source 'hahn2018' is not in sources.yaml." in told
    assert "The text in 'en' is missing." in told


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on an empty store."""
    with Server(tmp_path_factory.mktemp("method")) as one:
        yield one


def _open(server: Server, page: Page, lang: str) -> None:
    page.goto(f"{server.url}/method?lang={lang}")
    page.wait_for_selector(".me-sources")
    ready(page)


@pytest.mark.browser
@pytest.mark.parametrize(("lang", "scheme"), [("fr", "light"), ("nl", "dark"), ("en", "light")])
def test_accessible(lang: str, scheme: str, server: Server, visitor: Visitor) -> None:
    """No violation of WCAG 2.2 AA that axe can see, in light and dark."""
    page = visitor(color_scheme=scheme)
    _open(server, page, lang)
    assert not faults(page)


@pytest.mark.browser
@pytest.mark.parametrize("lang", LANGUAGES)
def test_phone_never_scrolls_sideways(lang: str, server: Server, visitor: Visitor) -> None:
    """At 390 pixels nothing is wider than the screen."""
    page = visitor(viewport=PHONE)
    _open(server, page, lang)
    assert not too_wide(page)


@pytest.mark.browser
def test_keyboard_moves_and_jumps(server: Server, visitor: Visitor) -> None:
    """An arrow key moves a slider, which is said aloud; Enter in the contents goes to a section."""
    page = visitor()
    _open(server, page, "en")
    page.get_by_role("slider", name="Collaboration · patients").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator('[data-worked="experienced"]')).to_have_text("2.6")
    expect(page.locator(".fr-live")).to_contain_text("retained 2.6")
    page.get_by_role("link", name="The limits").focus()
    page.keyboard.press("Enter")
    page.wait_for_function("Math.abs(document.getElementById('m-limits').getBoundingClientRect().top) < 200")


@pytest.mark.browser
def test_lines_stay_readable_and_print_leaves_controls_out(server: Server, visitor: Visitor) -> None:
    """On a laptop no line of running text has many more than 70 characters; on paper there is no control."""
    page = visitor()
    _open(server, page, "fr")
    longest = page.evaluate(
        "Math.max(...[...document.querySelectorAll('.me-ul li, .me-ol li, .st-key-method-body p.fr-text')].map(e => {"
        " const lines = Math.round(e.clientHeight / parseFloat(getComputedStyle(e).lineHeight));"
        " return lines > 3 ? e.textContent.length / (lines - 0.5) : 0; }))"
    )
    assert 40 < longest <= 80
    page.emulate_media(media="print")
    for selector in (".me-contents", ".st-key-worked-presets", ".st-key-worked input[type=range]"):
        expect(page.locator(selector).first).to_be_hidden()
    expect(page.locator(".me-work")).to_be_visible()
