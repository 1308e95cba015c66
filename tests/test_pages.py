"""The pages as scripts: every page in every language, saving, taking back, creating, and what a first visit sees."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
import streamlit as st
import yaml
from streamlit import config
from streamlit.testing.v1 import AppTest

from dashboard import frame
from dashboard.paging import pages_of
from dashboard.server import settings
from data import Answer, Campaign, Store
from data.demo import load_example
from matrix import load_matrix
from questionnaires import load_library

ROOT = Path(__file__).parent.parent
LANGUAGES = ("fr", "nl", "en")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """An empty store that the pages use."""
    monkeypatch.setenv("POMEY_STORE", f"sqlite:///{tmp_path / 'pages.db'}")
    st.cache_resource.clear()
    st.cache_data.clear()
    opened = frame.store()
    yield opened
    opened.close()
    st.cache_resource.clear()


@pytest.fixture
def example(store: Store) -> Campaign:
    """The example, in a store that the pages use."""
    return store.campaign(load_example(store))


def open_page(name: str = "home", **params: str) -> AppTest:
    """A page as a browser at that address would get it."""
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    for key, value in params.items():
        test.query_params[key] = value
    test.run()
    if name != "home":
        test.session_state["lang"] = params.get("lang", "fr")
        test = _visit(test, name)
    assert not test.exception
    return test


def _visit(test: AppTest, name: str) -> AppTest:
    """Go to a page as its link does; the test tool cannot follow a link to a function."""
    page = test.session_state["pages"][name]
    test._page_hash = page._script_hash
    return test.run()


def html(test: AppTest) -> str:
    """All HTML of a page but the style sheet and the script."""
    bodies = [str(one.proto.body) for one in test.get("html")]
    return "\n".join(body for body in bodies if not body.startswith(("<style", "<script")))


def text_of(test: AppTest) -> str:
    """The HTML of a page with its escapes undone, to look for words in."""
    return unescape(html(test))


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.usefixtures("store")
def test_first_visit_teaches_and_asks_nothing(lang: str) -> None:
    """A first visitor reads what it is, in the language of the address, and finds two buttons and no field."""
    test = open_page(lang=lang)
    assert frame.words()("home-title", lang) in text_of(test)
    assert {"open-example", "create-own"} <= {button.key for button in test.button}
    assert not test.text_input


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("name", ["home", "answer", "results"])
def test_every_page_speaks_every_language(name: str, lang: str, example: Campaign) -> None:
    """Each page is drawn in each language, and the example says that it is one."""
    test = open_page(name, lang=lang, campaign=example.id)
    text = text_of(test)
    assert f'data-language="{lang}"' in text
    marks = (frame.words()(key, lang) for key in ("synthetic", "synthetic-banner"))
    assert any(mark in text for mark in marks)
    assert not test.error


@pytest.mark.parametrize("name", ["answer", "results"])
@pytest.mark.usefixtures("store")
def test_empty_pages_say_what_to_do(name: str) -> None:
    """Without an assessment a page teaches, and has one button."""
    test = open_page(name, lang="en")
    own = [button.key for button in test.button if button.key and not button.key.startswith("language-")]
    assert len(own) == 1


@pytest.mark.usefixtures("store")
def test_example_is_one_click_away() -> None:
    """One click keeps the example and leads to its results."""
    test = open_page(lang="en")
    test.button(key="open-example").click().run()
    assert not test.exception
    assert 'class="pm-matrix"' in html(test)


def test_first_own_assessment(store: Store) -> None:
    """A name is all it takes; without it the page says what is missing and keeps the rest."""
    test = open_page(lang="en")
    test.button(key="create-own").click().run()
    submit = next(button for button in test.button if button.label == frame.words()("create", "en"))
    submit.click().run()
    assert [one.value for one in test.error] == [frame.words()("error-name", "en")]
    assert not store.campaigns()
    test.text_input(key="new-name").input("Vallée <b>*x*</b>")
    next(button for button in test.button if button.label == frame.words()("create", "en")).click().run()
    assert not test.exception
    assert [one.name for one in store.institutions()] == ["Vallée <b>*x*</b>"]
    assert [one.form for one in store.campaigns()] == ["express"]


@pytest.fixture
def own(store: Store) -> Campaign:
    """An assessment nobody has answered."""
    house = store.add_institution("Hôpital A", country="be", type="general")
    return store.add_campaign(house.id, load_library()["hospital"], title="2026", year=2026, form="express")


def at_questions(own: Campaign, role: str = "quality", lang: str = "en") -> AppTest:
    """The first questions of a role."""
    return open_page("answer", lang=lang, campaign=own.id, role=role, respondent="p-1")


def test_click_is_saved_before_the_page_says_so(own: Campaign, store: Store) -> None:
    """An answer is in the store after one click, and the line under it says when."""
    test = at_questions(own)
    choice = test.radio[0]
    item = load_library()["hospital"].form("express")[0]
    option = load_library()["hospital"].options(item.id, "declared")[1]
    choice.set_value(option.id).run()
    kept = store.respondent(own.id, "p-1", "quality")
    assert kept[item.id].answer == option.id
    assert kept[item.id].channel == "own_link"
    assert 'class="fr-foot fr-ok">Saved at' in html(test)


def test_language_switch_loses_and_changes_nothing(own: Campaign, store: Store) -> None:
    """Switching language after an answer keeps it chosen and writes nothing more."""
    test = at_questions(own)
    test.radio[0].set_value("dk").run().run()  # a click draws its own card, the next run all of the page
    before = len(store.history(own.id))
    for lang in ("nl", "fr", "en"):
        test.button(key=f"language-{lang}").click().run()
        assert not test.exception
        assert test.radio[0].value == "dk"
    assert len(store.history(own.id)) == before


def test_not_applicable_waits_for_its_reason(own: Campaign, store: Store) -> None:
    """`na` is saved with its reason, and not before."""
    test = at_questions(own)
    test.radio[0].set_value("na").run()
    assert not store.respondent(own.id, "p-1", "quality")
    test.text_input[0].input("no such unit").run()
    [answer] = store.respondent(own.id, "p-1", "quality").values()
    assert (answer.answer, answer.reason) == ("na", "no such unit")


def test_comment_goes_with_the_answer(own: Campaign, store: Store) -> None:
    """A comment alone waits; with an answer both are saved."""
    test = at_questions(own)
    test.text_input[0].input("see annex 3").run()
    assert not store.respondent(own.id, "p-1", "quality")
    test.radio[0].set_value("dk").run()
    [answer] = store.respondent(own.id, "p-1", "quality").values()
    assert (answer.answer, answer.comment) == ("dk", "see annex 3")


def test_answer_can_be_taken_back(own: Campaign, store: Store) -> None:
    """Clearing takes the answer back and leaves it in the history."""
    test = at_questions(own)
    test.radio[0].set_value("dk").run()
    next(button for button in test.button if str(button.key).startswith("clear|")).click().run()
    assert not test.exception
    assert not store.respondent(own.id, "p-1", "quality")
    assert test.radio[0].value is None
    assert len(store.history(own.id)) == 2


def test_answer_changed_elsewhere_is_followed(own: Campaign, store: Store) -> None:
    """What another tab saved is shown here, not overwritten from here."""
    test = at_questions(own)
    test.radio[0].set_value("dk").run()
    item = load_library()["hospital"].form("express")[0]
    other = load_library()["hospital"].options(item.id, "declared")[2].id
    store.save(Answer(own.id, "p-1", "quality", item.id, other))
    test.run()
    assert test.radio[0].value == other
    assert store.respondent(own.id, "p-1", "quality")[item.id].answer == other


def test_patients_answers_given_here_are_marked(own: Campaign, store: Store) -> None:
    """What staff enter for a patient is marked so, and the patients' wording is shown."""
    test = at_questions(own, role="patient")
    test.radio[0].set_value("dk").run()
    [answer] = store.respondent(own.id, "p-1", "patient").values()
    assert answer.channel == "staff_entered"
    item = load_library()["hospital"].form("express")[0]
    assert item.ask.patients is not None
    assert test.radio[0].label == frame.plain(item.ask.patients.text["en"])


@pytest.mark.parametrize("form", ["express", "full"])
@pytest.mark.parametrize("lens", ["declared", "experienced"])
def test_at_most_sixteen_questions_on_a_page(form: str, lens: str, store: Store) -> None:
    """Every question of a form is on one page, and no page has more than sixteen."""
    house = store.add_institution("A")
    questionnaire = load_library()["hospital"]
    campaign = store.add_campaign(house.id, questionnaire, title="t", year=2026, form=form)
    pages = pages_of(campaign, questionnaire, lens)
    asked = [item.id for _, _, items in pages for item in items]
    assert sorted(asked) == sorted(i.id for i in questionnaire.form(form) if i.asked_of(lens))
    assert all(len(items) <= 16 for _, _, items in pages)


def _fill(own: Campaign, store: Store, role: str, people: int) -> None:
    questionnaire = load_library()["hospital"]
    lens = load_matrix().lens_of[role]
    store.save_many(
        [
            Answer(own.id, f"{role}-{person}", role, item.id, questionnaire.options(item.id, lens)[-1].id)
            for person in range(people)
            for item in questionnaire.form("express")
            if item.asked_of(lens)
        ]
    )


def test_no_patients_is_a_showcase_and_says_so(own: Campaign, store: Store) -> None:
    """An assessment that no patient answered says that it is itself a showcase."""
    _fill(own, store, "quality", 1)
    test = open_page("results", lang="en", campaign=own.id)
    assert frame.words()("banner-no-patients", "en") in text_of(test)
    assert "only one side answered" in html(test)


@pytest.mark.parametrize(("people", "hidden"), [(4, True), (5, False)])
def test_few_patients_are_not_exposed(people: int, hidden: bool, own: Campaign, store: Store) -> None:  # noqa: FBT001
    """Below five patients neither their number nor the answers behind a cell are shown."""
    _fill(own, store, "quality", 1)
    _fill(own, store, "patient", people)
    store.close_campaign(own.id)
    text = text_of(open_page("results", lang="en", campaign=own.id))
    assert (frame.words()("trace-hidden", "en", n=5) in text) is hidden
    assert (f"{people} people on the patients" in text) is not hidden


def test_text_of_others_is_shown_inert(store: Store) -> None:
    """HTML in a name or a comment is shown as it was written and does nothing."""
    house = store.add_institution("<img src=x onerror=alert(1)>")
    questionnaire = load_library()["hospital"]
    reading = store.add_campaign(house.id, questionnaire, title="t", year=2026, kind="reading")
    item = questionnaire.items[0]
    option = questionnaire.options(item.id, "declared")[-1].id
    store.save(Answer(reading.id, "desk", "quality", item.id, option, comment="<script>alert(2)</script>"))
    text = html(open_page("results", lang="en", campaign=reading.id))
    assert "<img" not in text
    assert "<script" not in text
    assert "&lt;script&gt;alert(2)" in text


def test_reading_judges_nobody(store: Store) -> None:
    """A reading shows cells and places: no position, no showcase state, no finding."""
    questionnaire = load_library()["hospital"]
    reading = store.add_campaign(
        store.add_institution("A").id, questionnaire, title="t", year=2026, kind="reading"
    )
    item = questionnaire.items[0]
    option = questionnaire.options(item.id, "declared")[-1].id
    store.save(Answer(reading.id, "desk", "quality", item.id, option, comment="file 1, page 2"))
    text = text_of(open_page("results", lang="en", campaign=reading.id))
    words = frame.words()
    assert "file 1, page 2" in text
    assert words("reading-banner", "en") in text
    for key in ("section-showcase", "section-findings", "section-lenses"):
        assert words(key, "en") not in text
    assert "pm-retained" not in text


@pytest.mark.parametrize("lang", ["fr", "nl", "en"])
def test_a_fault_of_ours_is_told_in_words(lang: str, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that fails says so in the language of the page, and the fault still reaches the log."""
    test = open_page(lang=lang)
    monkeypatch.setattr(store, "campaigns", lambda *_, **__: 1 / 0)
    test.run()
    assert frame.word("trouble-ours", lang) in text_of(test)
    assert test.exception


def test_settings_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every setting we pass still exists in the framework, the hidden one for garbage collection among them."""
    monkeypatch.chdir(ROOT)
    known = config._config_options_template
    for name in settings():
        assert name in known, name
    assert settings()["runner.postScriptGC"] is False
    assert settings()["browser.gatherUsageStats"] is False
    assert settings()["server.address"] == "localhost"


def test_server_answers_before_the_pages_are_loaded() -> None:
    """What only some pages need is not loaded before the server answers."""
    program = """
import sys
import dashboard.server
later = {"data.tables", "scoring", "alembic", "pandas", "polars", "duckdb", "openpyxl", "rapidfuzz"}
print(*sorted(later & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_words_are_complete() -> None:
    """Every word of the pages and figures is there in every language, with the same blanks to fill."""
    for path in [*sorted((ROOT / "dashboard" / "words").glob("*.yaml")), ROOT / "reports" / "words.yaml"]:
        for key, texts in yaml.safe_load(path.read_text(encoding="utf-8")).items():
            assert set(texts) == set(load_matrix().languages), key
            blanks = {lang: set(re.findall(r"{(\w+)}", text)) for lang, text in texts.items()}
            assert len({frozenset(one) for one in blanks.values()}) == 1, key
