"""The pages as scripts: every page in every language, saving, taking back, creating, and what a first visit sees."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from html import escape, unescape
from types import MappingProxyType

import pytest
import streamlit as st
import yaml
from browser import LANGUAGES, ROOT
from streamlit import config
from streamlit.testing.v1 import AppTest

from dashboard import access, frame
from dashboard.paging import pages_of
from dashboard.server import settings
from data import Answer, Campaign, Store, StoreError, invitations
from data.demo import load_demo, load_example
from matrix import Problem, load_matrix
from questionnaires import load_library
from reports import matrix_csv


@pytest.fixture
def store(page_store: Store) -> Store:
    """An empty store that the pages use."""
    return page_store


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
    own = [
        button.key
        for button in test.button
        if button.key and not button.key.startswith(("language-", "again"))
    ]
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


def test_a_comment_changed_elsewhere_is_not_written_back(own: Campaign, store: Store) -> None:
    """What another tab wrote stays when this one draws again, and its text is shown here."""
    test = at_questions(own)
    test.text_input[0].input("first")
    test.radio[0].set_value("dk").run()
    [kept] = store.respondent(own.id, "p-1", "quality").values()
    assert kept.comment == "first"
    store.save(dataclasses.replace(kept, comment="second"))
    test.run()
    assert test.text_input[0].value == "second"
    assert frame.words()("changed-elsewhere", "en") in text_of(test)
    assert store.respondent(own.id, "p-1", "quality")[kept.item].comment == "second"


def _said_by(own: Campaign, store: Store, code: str, role: str, channel: str) -> None:
    questionnaire, lens = load_library()["hospital"], load_matrix().lens_of[role]
    item = next(one for one in questionnaire.form("express") if one.asked_of(lens))
    option = questionnaire.options(item.id, lens)[0].id
    store.save(Answer(own.id, code, role, item.id, option, comment=f"said by {code}", channel=channel))


def _with_code(test: AppTest, code: str) -> AppTest:
    """Say that the person has a code already, write it, and resume."""
    next(one for one in test.radio if str(one.key).startswith("who-person|")).set_value("known").run()
    test.text_input(key="who-code").input(code).run()
    test.button(key="begin").click().run()
    assert not test.exception
    return test


@pytest.mark.parametrize("way", ["code", "address"])
@pytest.mark.parametrize(
    ("role", "channel", "opens"),
    [
        ("quality", "own_link", True),
        ("quality", "import", False),
        ("patient", "staff_entered", True),
        ("patient", "import", False),
        ("patient", "shared_link", False),
        ("patient", "own_link", False),
    ],
)
def test_a_code_opens_only_what_was_answered_here(
    way: str,
    role: str,
    channel: str,
    opens: bool,  # noqa: FBT001
    own: Campaign,
    store: Store,
) -> None:
    """Typed or in the address, a code opens answers given on this page, never those from a link or a file."""
    _said_by(own, store, "p-22222", role, channel)
    if way == "address":
        test = open_page("answer", lang="en", campaign=own.id, role=role, respondent="p-22222")
    else:
        test = _with_code(open_page("answer", lang="en", campaign=own.id, role=role), " P-22222 ")
    assert ("said by p-22222" in [one.value for one in test.text_input]) is opens
    assert [frame.words()("code-refused", "en", code="p-22222")][opens:] == [one.value for one in test.error]
    assert (test.session_state["respondent"] == "p-22222") is opens


def test_a_code_opens_nothing_in_another_role_or_campaign(own: Campaign, store: Store) -> None:
    """A code counts where its answers were given; a code of nobody, or none, opens no form when it is typed."""
    _said_by(own, store, "p-22222", "quality", "own_link")
    other = store.add_campaign(own.institution, load_library()["hospital"], title="2027", year=2027)
    for campaign, role, code in (
        (own.id, "direction", "p-22222"),
        (other.id, "quality", "p-22222"),
        (own.id, "quality", "p-33333"),
        (own.id, "quality", " "),
    ):
        test = _with_code(open_page("answer", lang="en", campaign=campaign, role=role), code)
        assert len(test.error) == 1
        assert test.session_state["respondent"] == ""
    assert [one.value for one in test.error] == [frame.words()("code-missing", "en")]


def test_nobody_reads_whose_codes_there_are(own: Campaign, store: Store) -> None:
    """The page that asks who answers names one code, and nobody answers under it."""
    for role in ("quality", "patient"):
        _said_by(own, store, "p-22222", role, "own_link")
        test = open_page("answer", lang="en", campaign=own.id, role=role)
        offered = text_of(test) + " ".join(option for radio in test.radio for option in radio.options)
        [code] = set(re.findall(r"\bp-\w+", offered))
        assert code != "p-22222"


def test_a_new_code_is_nobodys_and_resumes_before_the_first_answer(
    own: Campaign, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A code drawn that somebody answers under is drawn again; the address with the new one opens after a reload."""
    _said_by(own, store, "p-22222", "quality", "own_link")
    drawn = iter("22222" + "33333")
    monkeypatch.setattr(invitations.secrets, "choice", lambda _: next(drawn))
    test = open_page("answer", lang="en", campaign=own.id, role="quality")
    test.button(key="begin").click().run()
    assert test.session_state["respondent"] == "p-33333"
    again = open_page("answer", lang="en", campaign=own.id, role="quality", respondent="p-33333")
    assert again.radio[0].value is None
    assert not again.error


@pytest.mark.parametrize("way", ["code", "address"])
def test_codes_cannot_be_tried_one_after_the_other(way: str, own: Campaign, store: Store) -> None:
    """After twenty codes of nobody not even a right one opens, typed or in the address, and the page says so."""
    _said_by(own, store, "p-22222", "quality", "own_link")
    test = open_page("answer", lang="en", campaign=own.id, role="quality")
    for number in range(20):
        if way == "code":
            _with_code(test, f"p-{number}")
        else:
            open_page("answer", lang="en", campaign=own.id, role="quality", respondent=f"p-{number}")
    _with_code(test, "p-22222")
    said = frame.words()("code-limited", "en", minutes=10)
    assert [one.value for one in test.error] == [said]
    address = open_page("answer", lang="en", campaign=own.id, role="quality", respondent="p-22222")
    assert [one.value for one in address.error] == [said]
    assert "said by p-22222" not in [one.value for one in address.text_input]


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


def _fill(own: Campaign, store: Store, role: str, people: int, option: int = -1, *axes: str) -> None:
    """Everyone of a role gives the same option on every question, of some axes or of all."""
    questionnaire = load_library()["hospital"]
    lens = load_matrix().lens_of[role]
    store.save_many(
        [
            Answer(own.id, f"{role}-{person}", role, item.id, questionnaire.options(item.id, lens)[option].id)
            for person in range(people)
            for item in questionnaire.form("express")
            if item.asked_of(lens) and (not axes or item.axis in axes)
        ]
    )


def test_what_a_result_rests_on_is_told_around_the_figure(own: Campaign, store: Store) -> None:
    """The committee and the channels stand above the figure, all other facts of the cover below it."""
    _fill(own, store, "quality", 1)
    _fill(own, store, "patient", 5)
    store.close_campaign(own.id)
    above, _, below = text_of(open_page("results", lang="en", campaign=own.id)).partition('class="pm-matrix"')
    for key in ("committee-note-not_consulted", "fact-channels-declared", "fact-channels-experienced"):
        assert frame.words()(key, "en") in above
    assert frame.words()("fact-scope", "en") not in above  # the whole institution: nothing is left out
    for key in ("section-basis", "fact-committee", "fact-scope", "fact-anchor", "fact-asked"):
        assert frame.words()(key, "en") in below
    with_scope = store.add_campaign(
        own.institution, load_library()["hospital"], title="t", year=2026, form="express", scope="Ward 4"
    )
    _fill(with_scope, store, "quality", 1)
    text = text_of(open_page("results", lang="en", campaign=with_scope.id))
    assert "Ward 4" in text.partition('class="pm-matrix"')[0]


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


@pytest.mark.parametrize("name", ["results", "showcase"])
def test_a_page_says_nothing_of_what_three_patients_said(name: str, own: Campaign, store: Store) -> None:
    """Whatever three patients answer, the page is the same to the letter, marks their cells and says why."""
    _fill(own, store, "quality", 2, -1, "care", "services")
    pages = []
    for option in (0, -1):
        _fill(own, store, "patient", 3, option)
        store.close_campaign(own.id)
        pages.append(html(open_page(name, lang="en", campaign=own.id)))
        store.reopen_campaign(own.id, "again")
    assert pages[0] == pages[1]
    assert frame.words()("kept-back-few", "en", n=5) in unescape(pages[0])
    if name == "results":
        assert pages[0].count('<i class="pm-closed">') == 8  # four levels of two axes
        assert "withheld: fewer than 5 patients" in pages[0]


def test_an_axis_of_one_patient_is_marked_and_the_others_are_whole(own: Campaign, store: Store) -> None:
    """Of five patients one answers a second axis: what that one said is nowhere, what the five said is."""
    _fill(own, store, "quality", 2)
    _fill(own, store, "patient", 5, 0, "care")
    pages = []
    for option in (0, -1):
        _fill(own, store, "patient", 1, option, "policy")
        store.close_campaign(own.id)
        pages.append([html(open_page(name, lang="en", campaign=own.id)) for name in ("results", "showcase")])
        store.reopen_campaign(own.id, "again")
    assert pages[0] == pages[1]
    rows = dict(
        zip(
            load_matrix().ids("axes"),
            re.findall(r'<tr role="row">\n<th scope="row".*?</tr>', pages[0][0], re.DOTALL),
            strict=True,
        )
    )
    assert [row.count("pm-closed") for row in rows.values()] == [0, 0, 4, 0, 0]
    assert rows["care"].count('<i class="pm-mark"') == 8  # four levels, by patients and by evidence
    policy = load_matrix().title("axes", "policy", "en")
    assert frame.words()("export-few-axes", "en", n=5, axes=policy) in unescape(pages[0][0])


def _states(page: str) -> dict[str, str]:
    """What a page says of each axis in its cards, with the sign."""
    cards = re.findall(r'<li class="fr-state-\w+"><(?:a|span)[^>]*>(.*?)</(?:a|span)><b>(.*?)</b>', page)
    return {axis: re.sub(r"<[^>]+>", "", said) for axis, said in cards}


def test_both_pages_say_the_same_of_each_axis(own: Campaign, store: Store) -> None:
    """Results and Showcase judge an axis alike, and what nobody of the institution answered is not known yet."""
    _fill(own, store, "quality", 2, -1, "care")
    _fill(own, store, "patient", 5, -1, "care", "services")
    store.close_campaign(own.id)
    load_demo(store, network=4)
    campaigns = [one.id for one in store.campaigns() if one.kind == "assessment"]
    assert len(campaigns) > 4
    for id_ in campaigns:
        told = [_states(html(open_page(name, lang="en", campaign=id_))) for name in ("results", "showcase")]
        assert told[0]
        assert told[0] == told[1]
        if id_ == own.id:
            services = load_matrix().title("axes", "services", "en")
            assert told[0][services] == f"? {frame.words()('sc-state-unknown', 'en')}"


def test_what_one_side_alone_says_is_named(own: Campaign, store: Store) -> None:
    """Of criteria that both sides speak on in part, those known from one side are named; a finding names its axis."""
    _fill(own, store, "quality", 5, -1, "services")
    _fill(own, store, "patient", 5, -1, "research")
    store.save_many(
        [
            Answer(own.id, f"patient-{n}", "patient", item.id, options[-1].id)
            for item in load_library()["hospital"].form("express")
            if (item.axis, item.condition) == ("services", "decision")
            and (options := load_library()["hospital"].options(item.id, "experienced"))
            for n in range(5)
        ]
    )
    store.close_campaign(own.id)
    text = text_of(open_page("results", lang="en", campaign=own.id))
    alone = ", ".join(
        load_matrix().title("conditions", name, "en").lower() for name in ("training", "recognition")
    )
    assert frame.words()("only-declared", "en", conditions=alone) in text
    assert frame.words()("sc-fact-unilateral-yes", "en", axis="research") in text


@pytest.mark.parametrize(("state", "need"), [("open", "sc-need-open"), ("closed", "sc-need-few")])
def test_what_is_missing_is_not_asked_of_who_has_answered(
    state: str, need: str, own: Campaign, store: Store
) -> None:
    """What waits for patients whose answers are kept back is said to wait for what would show them."""
    _fill(own, store, "quality", 5)
    _fill(own, store, "patient", 4)
    if state == "closed":
        store.close_campaign(own.id)
    text = text_of(open_page("showcase", lang="en", campaign=own.id))
    assert frame.words()(need, "en") in text
    assert frame.words()("sc-need-experienced", "en") not in text


@pytest.mark.parametrize("lang", LANGUAGES)
def test_headline_names_the_axes_that_cannot_be_compared(lang: str, own: Campaign, store: Store) -> None:
    """Where one side is missing on some axes, the headline compares the others and says on which it cannot."""
    _fill(own, store, "quality", 5, -1, "care")
    _fill(own, store, "patient", 5, -1)
    store.close_campaign(own.id)
    [head] = re.findall(
        r'<h1 class="fr-h1">(.*?)</h1>', html(open_page("results", lang=lang, campaign=own.id))
    )
    first, _, missing = unescape(head).partition(". ")
    titles = {axis: load_matrix().title("axes", axis, lang) for axis in load_matrix().ids("axes")}
    assert titles["care"] in first
    assert not [axis for axis, title in titles.items() if (title in missing) is (axis == "care")]


@pytest.mark.parametrize("name", ["results", "showcase"])
def test_before_the_closing_nothing_is_said_of_both_sides(name: str, own: Campaign, store: Store) -> None:
    """While the patients' side is kept back, no sentence, state or index speaks of it, and the institution's is called so."""
    _fill(own, store, "quality", 5)
    _fill(own, store, "patient", 6, 0)
    text = text_of(open_page(name, lang="en", campaign=own.id))
    text = text.partition(f'id="{frame.words()("sc-unjudged-title", "en")}')[0]
    for never in ("beyond what is experienced", "The three criteria are met.", "Showcase index"):
        assert never not in text
    states = _states(text)
    alone = frame.words()("alone-declared", "en", said="")
    assert states
    assert all(said.endswith(alone) or said.startswith(("?", "○")) for said in states.values())
    because = re.findall(r'<dd>[^<]*<ul class="fr-explain">(.*?)</ul>', text)
    assert because
    assert "lower of both sides" not in "".join(because)


@pytest.mark.parametrize(
    ("lens", "lang", "told"),
    [
        ("declared", "fr", "par la personne même, par lien ou sur le tableau de bord 100"),
        ("declared", "nl", "door de persoon zelf, via link of dashboard 100"),
        ("declared", "en", "by the person, through a link or the dashboard 100"),
        ("experienced", "fr", "lien personnel 100"),
        ("experienced", "nl", "persoonlijke link 100"),
        ("experienced", "en", "personal link 100"),
    ],
)
def test_the_institutions_answers_are_not_said_to_come_by_link(
    lens: str, lang: str, told: str, own: Campaign, store: Store
) -> None:
    """Answers typed on the dashboard and answers by link share a channel: the institution's name both, patients' the link."""
    _fill(own, store, "quality", 1)
    _fill(own, store, "patient", 5)
    store.close_campaign(own.id)
    text = text_of(open_page("results", lang=lang, campaign=own.id))
    label = re.escape(frame.words()(f"fact-channels-{lens}", lang))
    assert re.search(rf"{label}\s?: {told}", text)


def test_numbers_of_the_table_are_round_and_in_order() -> None:
    """What a computer's sums leave over is not printed, and no upper bound is below its lower one for it."""
    dust = 0.5000000000000001
    lens = {
        "position": dust,
        "high": 0.5,
        "cells": {level: {"low": dust, "high": 0.5} for level in load_matrix().ids("levels")},
    }
    one = {
        "declared": lens,
        "experienced": lens,
        "documented": None,
        "retained": {"position": 0.12345001, "high": 0.12345},
        "gap": -1e-17,
    }
    table = matrix_csv({"axes": dict.fromkeys(load_matrix().ids("axes"), one)}, lang="fr")
    rows = [line.split(";")[3:] for line in table.splitlines()[1:]]
    assert rows[0] == ["0,5", "0,5", "0,5", "0,5", "0,1235", "0,1235", "0,0"]
    assert rows[-1] == ["", "", "", "", "0,1235", "0,1235", "0,0"]


def _say(own: Campaign, store: Store, role: str, person: int, comment: str, item: int = 0) -> str:
    """A comment of one person of a role on one of the role's first questions; returns the question's id."""
    lens = load_matrix().lens_of[role]
    asked = [one for one in load_library()["hospital"].form("express") if one.asked_of(lens)][item]
    option = load_library()["hospital"].options(asked.id, lens)[0].id
    store.save(Answer(own.id, f"{role}-{person}", role, asked.id, option, comment=comment))
    return asked.id


def _comments(own: Campaign, lang: str = "en") -> str:
    """What stands under the comments of a campaign."""
    text = html(open_page("results", lang=lang, campaign=own.id))
    return text.partition(f"<summary>{frame.words()('section-comments', lang)}</summary>")[2].partition(
        "</details>"
    )[0]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_comments_are_read_after_the_closing(lang: str, own: Campaign, store: Store) -> None:
    """Both sides' comments stand under their question as text, without a code; before the closing none does."""
    _fill(own, store, "quality", 1)
    _fill(own, store, "patient", 5)
    _say(own, store, "quality", 0, "<b>ours</b>")
    item = _say(own, store, "patient", 3, "two\nlines")
    assert not _comments(own, lang)
    store.close_campaign(own.id)
    told = _comments(own, lang)
    ask = load_library()["hospital"].item(item).asked_of("experienced")
    assert ask
    assert escape(ask.text[lang]) in told
    assert "&lt;b&gt;ours&lt;/b&gt;" in told
    assert "two<br>lines" in told
    assert load_matrix().title("roles", "patient", lang) in told
    assert load_matrix().title("roles", "quality", lang) not in told  # one person
    assert not re.search(r"(?:patient|quality)-\d", told)


def test_comments_of_few_patients_are_not_read(own: Campaign, store: Store) -> None:
    """On a question that four patients answered, and in a campaign of four, no patient's comment is shown."""
    _fill(own, store, "quality", 1)
    _fill(own, store, "patient", 4)
    _say(own, store, "patient", 0, "mine")
    store.close_campaign(own.id)
    page = text_of(open_page("results", lang="en", campaign=own.id))
    assert "mine" not in page
    assert frame.words()("comments-none", "en") in page
    store.reopen_campaign(own.id, "again")
    _say(own, store, "patient", 4, "other", item=1)
    store.close_campaign(own.id)
    told = _comments(own)
    assert "other" in told
    assert "mine" not in told


def test_comments_tell_no_role_beside_a_small_one(own: Campaign, store: Store) -> None:
    """One relative among patients: no comment on that question says a role, or what is left would be the relative's."""
    _fill(own, store, "patient", 6)
    _fill(own, store, "relative", 1)
    _say(own, store, "patient", 0, "one")
    _say(own, store, "relative", 0, "two")
    store.close_campaign(own.id)
    told = _comments(own)
    assert "one" in told
    assert "two" in told
    for role in ("patient", "relative"):
        assert f"<small>{load_matrix().title('roles', role, 'en')}</small>" not in told


def test_comments_of_one_person_cannot_be_put_together(own: Campaign, store: Store) -> None:
    """The order is the same at each visit, and on each question another one."""
    _fill(own, store, "patient", 6)
    for item in range(6):
        for person in range(6):
            _say(own, store, "patient", person, f"{item}:{person}", item)
    store.close_campaign(own.id)
    told = _comments(own)
    orders = {tuple(re.findall(rf"<li>{item}:(\d) ", told)) for item in range(6)}
    assert all(sorted(order) == list("012345") for order in orders)
    assert len(orders) > 3
    assert _comments(own) == told


@pytest.mark.parametrize(("role", "reads"), [("coordinator", True), ("reader", False), ("researcher", False)])
def test_comments_are_for_whoever_may_read_them(
    role: str,
    reads: bool,  # noqa: FBT001
    own: Campaign,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only who has the right to comments finds them, and no download holds one."""
    _fill(own, store, "quality", 1)
    _fill(own, store, "patient", 5)
    _say(own, store, "patient", 0, "between us")
    store.close_campaign(own.id)
    person = access.Person("a@example.org", "A", MappingProxyType({"*": role}))
    monkeypatch.setattr(access, "visitor", lambda: access.Visitor(person))
    files: list[str | bytes] = []
    monkeypatch.setattr(st, "download_button", lambda _, data, **__: files.append(data))
    test = open_page("results", lang="en", campaign=own.id)
    assert ("between us" in text_of(test)) is reads
    assert files
    assert not [one for one in files if "between us" in (one if isinstance(one, str) else one.decode())]


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


def test_a_fault_while_saving_reaches_the_log_as_it_is(
    own: Campaign, store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A fault of ours inside a step that says refusals is told once, and no other fault hides it."""
    test = open_page("campaign", lang="en", campaign=own.id, role="", respondent="")
    monkeypatch.setattr(store, "add_institution", lambda *_, **__: 1 / 0)
    new = [one for one in test.text_input if str(one.key).startswith("name|house|")]
    new[-1].input("B")
    next(one for one in test.button if one.label == frame.words()("ca-add", "en")).click().run()
    assert text_of(test).count(frame.words()("trouble-ours", "en")) == 1
    log = "".join(capsys.readouterr())
    assert "ZeroDivisionError" in log
    assert "During handling" not in log


def test_what_the_store_refuses_is_shown_as_it_was_written(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Markdown in a refusal's text does nothing on the page."""
    refused = StoreError(
        [Problem("/a/store.db", 1, "institution", "store-id-taken", {"id": "*A* [b](http://c.example)"})]
    )

    def refuse(*_: object, **__: object) -> None:
        raise refused

    test = open_page(lang="en")
    monkeypatch.setattr(store, "add_institution", refuse)
    test.button(key="create-own").click().run()
    test.text_input(key="new-name").input("A")
    next(one for one in test.button if one.label == frame.words()("create", "en")).click().run()
    [said] = test.error
    assert r"\*A\* \[b\](http" in said.value
    assert "store.db" not in said.value
    assert not test.exception


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
