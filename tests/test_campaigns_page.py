"""The Campaign page, and what is shown of a campaign before and after its closing."""

from __future__ import annotations

import csv
import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import sqlalchemy as sa
import streamlit as st
from browser import LANGUAGES, PHONE, Server, Visitor, faults, ready, too_wide
from playwright.sync_api import Page, expect
from streamlit.testing.v1 import AppTest
from test_pages import html, open_page, text_of

from dashboard import access, campaigns, frame, results
from data import Answer, Campaign, Invitations, Store, Target, layout
from data.accounts import EVERYWHERE, Accounts
from data.demo import load_demo, load_example
from data.store import COMMENT_LIMIT
from matrix import day, load_matrix
from questionnaires import load_library
from scoring import few_patients

TIMES = " \N{MULTIPLICATION SIGN} "
SECRET = "the only person who lives above the bakery"  # noqa: S105  # a remark that must not be read too soon


@pytest.fixture
def store(page_store: Store) -> Store:
    """An empty store that the pages use."""
    return page_store


@pytest.fixture
def own(store: Store) -> Campaign:
    """An open campaign that nobody has answered."""
    return make(store)


def make(store: Store, state: str = "open", **settings: Any) -> Campaign:
    """A campaign of a new institution."""
    house = store.add_institution("Hôpital A", country="be", type="general", beds=200)
    hospital = load_library()["hospital"]
    return store.add_campaign(
        house.id, hospital, title="2026", year=2026, form="express", state=state, **settings
    )


def fill(store: Store, campaign: Campaign, role: str, people: int, option: int = -1) -> None:
    """Everyone of a role gives the same option on every question that is no safeguard."""
    questionnaire, lens = load_library()["hospital"], load_matrix().lens_of[role]
    store.save_many(
        [
            Answer(campaign.id, f"{role}-{n}", role, item.id, questionnaire.options(item.id, lens)[option].id)
            for n in range(people)
            for item in questionnaire.form("express")
            if item.asked_of(lens) and item.condition != "safeguard"
        ]
    )


def answer_in_an_old_role(store: Store) -> None:
    """One of the answers once more, in a role that the matrix no longer has."""
    old = sa.text(
        "INSERT INTO answer (campaign, respondent, role, item, answer, reason, comment, channel, at, questionnaire, "
        "version, fingerprint, form) SELECT campaign, 'old', 'matron', item, answer, reason, comment, channel, at, "
        "questionnaire, version, fingerprint, form FROM answer LIMIT 1"
    )
    store.write(lambda connection: connection.execute(old))


def words(key: str, lang: str = "en", **values: object) -> str:
    """A word of the pages."""
    return frame.words()(key, lang, **values)


def field(test: AppTest, kind: str, start: str) -> Any:
    """The widget whose key begins so: the rest of it changes each time a form is drawn anew."""
    return next(one for one in getattr(test, kind) if str(one.key).startswith(start))


def save(test: AppTest, section: str) -> AppTest:
    """Press the button of a form."""
    done = field(test, "button", f"save|{section}|").click().run()
    assert not done.exception
    return done


def said(test: AppTest) -> str:
    """What the page confirms, as HTML: shown and read out in the same words."""
    [[spoken, shown]] = re.findall(r'data-announce="(.*?)\|\w+">.*?</span><span>(.*?)</span>', html(test))
    assert spoken == shown
    return str(shown)


def turn(test: AppTest, what: str) -> AppTest:
    """Ask for an opening, a closing or a reopening, and confirm it."""
    test.button(key=f"ca-{what}").click().run()
    done = test.button(key=f"ca-{what}-now").click().run()
    assert not done.exception
    return done


def become(monkeypatch: pytest.MonkeyPatch, role: str, institution: str = "*") -> None:
    """Be somebody with one role."""
    person = access.Person("someone@example.org", "Someone", MappingProxyType({institution: role}))
    monkeypatch.setattr(access, "visitor", lambda: access.Visitor(person))


# --- the page -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("state", ["draft", "open", "closed"])
def test_page_says_how_far_a_campaign_is(lang: str, state: str, store: Store) -> None:
    """In each state and language the page says what is pinned, how far it is, and offers the one way on."""
    campaign = make(store, "draft" if state == "draft" else "open")
    if state == "closed":
        store.close_campaign(campaign.id)
    test = open_page("campaign", lang=lang, campaign=campaign.id)
    text = text_of(test)
    assert words(f"ca-state-{state}", lang) in text
    assert campaign.fingerprint[:8] in text
    way = {"draft": "ca-open", "open": "ca-close", "closed": "ca-reopen"}[state]
    assert [b.key for b in test.button if b.key in ("ca-open", "ca-close", "ca-reopen")] == [way]
    assert not test.error


@pytest.mark.usefixtures("store")
def test_without_a_campaign_the_page_teaches() -> None:
    """An empty page says what will be here and leads home."""
    test = open_page("campaign", lang="en")
    assert words("ca-empty-why") in text_of(test)
    assert "to-start" in {button.key for button in test.button}


def test_a_campaign_is_prepared_settled_and_opened(store: Store) -> None:
    """An institution and a draft campaign are made on the page, settled in its forms, and opened."""
    test = open_page("campaign", lang="en")
    field(test, "text_input", "name|house||").input("Clinic <b>*B*</b>")
    save(test, "house|")
    assert said(test) == words("ca-added", name="Clinic &lt;b&gt;*B*&lt;/b&gt;")
    [house] = store.institutions()
    assert (house.name, house.country, house.beds) == ("Clinic <b>*B*</b>", "be", None)
    field(test, "text_input", "ca-new-title|").input("Year one")
    field(test, "button", "ca-prepare-now|").click().run()
    [draft] = store.campaigns()
    assert (draft.state, draft.title, draft.form) == ("draft", "Year one", "full")
    field(test, "text_input", "scope|about").input("Cardiology")
    field(test, "selectbox", "scope_kind|about").set_value("department")
    field(test, "date_input", "programme_start|about").set_value(dt.date(2024, 5, 1))
    field(test, "checkbox", "language|nl|about").uncheck()
    save(test, "about")
    field(test, "text_area", "out_of_scope.policy|axes").input("No mandate.")
    field(test, "text_area", "scope_views.policy|axes").input("We would want one.")
    save(test, "axes")
    field(test, "selectbox", "targets.care|targets").set_value("3")
    field(test, "text_input", "targets.care|by|targets").input("patients' committee, March")
    save(test, "targets")
    field(test, "radio", "committee|agreed").set_value("disagreed")
    field(test, "text_input", "anchor|agreed").input("A. Peeters, quality")
    field(test, "date_input", "next_date|agreed").set_value(dt.date(2027, 5, 1))
    save(test, "agreed")
    turn(test, "open")
    now = store.campaign(draft.id)
    assert (now.state, now.scope_kind, now.scope) == ("open", "department", "Cardiology")
    assert (now.programme_start, now.languages) == (dt.date(2024, 5, 1), ("fr", "en"))
    assert (now.out_of_scope, now.scope_views) == (
        {"policy": "No mandate."},
        {"policy": "We would want one."},
    )
    assert now.targets == {"care": Target(3, "patients' committee, March")}
    assert (now.committee, now.anchor) == ("disagreed", "A. Peeters, quality")
    assert now.next_date == dt.date(2027, 5, 1)
    assert [one.what for one in store.events(campaign=draft.id)] == ["opened", *["edited"] * 4, "created"]
    text = html(test)
    assert "<b>" not in re.sub(r"<b><span", "", text)
    assert "No mandate." in text


def test_what_closing_does_is_said_before_it_is_done(own: Campaign, store: Store) -> None:
    """The first click only says what closing does and who has answered; the second one closes."""
    fill(store, own, "quality", 2)
    fill(store, own, "patient", 3)
    test = open_page("campaign", lang="en", campaign=own.id)
    test.button(key="ca-close").click().run()
    text = text_of(test)
    assert store.campaign(own.id).state == "open"
    assert words("ca-close-people", declared=2, experienced=3) in text
    assert words("ca-close-few", n=5) in text
    assert words("ca-close-4", months=24) in text
    test.button(key="ca-not-now").click().run()
    assert store.campaign(own.id).state == "open"
    assert words("ca-close-1") not in text_of(test)
    turn(test, "close")
    assert store.campaign(own.id).state == "closed"


@pytest.mark.parametrize("reason", ["", "   "])
def test_reopening_needs_a_reason(reason: str, own: Campaign, store: Store) -> None:
    """Without a reason nothing reopens and the page says what is missing; with one it stays in the history."""
    store.close_campaign(own.id)
    test = open_page("campaign", lang="en", campaign=own.id)
    test.button(key="ca-reopen").click().run()
    test.text_area(key="ca-reason").input(reason)
    test.button(key="ca-reopen-now").click().run()
    assert [one.value for one in test.error] == [words("ca-error-reason")]
    assert store.campaign(own.id).state == "closed"
    test.text_area(key="ca-reason").input("the ward was <i>forgotten</i>")
    test.button(key="ca-reopen-now").click().run()
    assert store.campaign(own.id).state == "open"
    assert "the ward was &lt;i&gt;forgotten&lt;/i&gt;" in html(test)


def test_a_text_that_is_too_long_changes_nothing(own: Campaign, store: Store) -> None:
    """The field takes as many characters as the store keeps, and of 5,000 nothing half-written is kept."""
    store.close_campaign(own.id)
    test = open_page("campaign", lang="en", campaign=own.id)
    test.button(key="ca-reopen").click().run()
    assert test.text_area(key="ca-reason").max_chars == COMMENT_LIMIT
    test.text_area(key="ca-reason").input("x" * 5000)
    test.button(key="ca-reopen-now").click().run()
    assert not test.exception
    assert test.error
    assert store.campaign(own.id).state == "closed"
    assert len(store.events(campaign=own.id)) == 3


def test_a_role_that_the_matrix_no_longer_has_stops_no_closing(own: Campaign, store: Store) -> None:
    """Answers in a role of an earlier matrix are counted on no side, and the campaign can be closed."""
    fill(store, own, "quality", 2)
    answer_in_an_old_role(store)
    test = open_page("campaign", lang="en", campaign=own.id)
    test.button(key="ca-close").click().run()
    assert not test.exception
    assert words("ca-close-people", declared=2, experienced=0) in text_of(test)
    test.button(key="ca-close-now").click().run()
    assert store.campaign(own.id).state == "closed"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_one_month_reads_right(lang: str) -> None:
    """Wherever a number of months stands in a text, one month is as right as twenty-four."""
    root = Path(campaigns.__file__).parents[1]
    files = [*(root / "dashboard" / "words").glob("*.yaml"), *(root / "reports").rglob("*.yaml")]
    texts = "\n".join(path.read_text(encoding="utf-8") for path in [*files, root / "data" / "refusals.yaml"])
    found = re.findall(lang + r': "([^"]*\{months\}[^"]*)"', texts)
    assert len(found) >= 4
    assert not [text for text in found if re.search(r"\{months\} (months|maanden)", text)]


def test_closing_twice_closes_once_and_says_so(own: Campaign, store: Store) -> None:
    """Of two people about to close, the second is told that it is done, and history has one closing."""
    first, second = (open_page("campaign", lang="en", campaign=own.id) for _ in range(2))
    for test in (first, second):
        test.button(key="ca-close").click().run()
    first.button(key="ca-close-now").click().run()
    second.button(key="ca-close-now").click().run()
    assert not second.exception
    assert [one.value for one in second.info] == [words("ca-already")]
    assert [one.what for one in store.events(campaign=own.id)] == ["closed", "opened", "created"]


def test_two_coordinators_never_undo_each_other(own: Campaign, store: Store) -> None:
    """A form opened before another person's change keeps what it changed and leaves the other's alone."""
    first, second = (open_page("campaign", lang="en", campaign=own.id) for _ in range(2))
    field(first, "text_input", "anchor|agreed").input("A. Peeters")
    field(first, "number_input", "retention_months|agreed").set_value(12)
    save(first, "agreed")
    field(second, "radio", "committee|agreed").set_value("agreed")
    save(second, "agreed")
    now = store.campaign(own.id)
    assert (now.anchor, now.retention_months, now.committee) == ("A. Peeters", 12, "agreed")
    for test, axis in ((first, "care"), (second, "services")):
        field(test, "selectbox", f"targets.{axis}|targets").set_value("2")
        field(test, "text_input", f"targets.{axis}|by|targets").input("committee")
    save(first, "targets")
    save(second, "targets")
    assert set(store.campaign(own.id).targets) == {"care", "services"}


def test_two_coordinators_of_two_axes_at_the_same_moment(
    own: Campaign, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An axis that somebody else settles between the last look at the store and the saving is still there after it."""
    test = open_page("campaign", lang="en", campaign=own.id)
    field(test, "selectbox", "targets.care|targets").set_value("2")
    field(test, "text_input", "targets.care|by|targets").input("committee")
    look = Store.campaign

    def beaten(store: Store, id_: str) -> Campaign:
        found = look(store, id_)
        monkeypatch.setattr(Store, "campaign", look)
        store.edit_campaign(id_, targets={"services": Target(3, "the other one")})
        return found

    monkeypatch.setattr(Store, "campaign", beaten)
    save(test, "targets")
    assert store.campaign(own.id).targets == {
        "care": Target(2, "committee"),
        "services": Target(3, "the other one"),
    }


def test_the_same_field_changed_by_two_is_shown_before_it_is_replaced(own: Campaign, store: Store) -> None:
    """Whoever saves second sees what the first one wrote, loses nothing typed, and replaces it only by saving again."""
    first, second = (open_page("campaign", lang="en", campaign=own.id) for _ in range(2))
    field(first, "text_input", "anchor|agreed").input("A. Peeters")
    save(first, "agreed")
    field(second, "text_input", "anchor|agreed").input("B. Maes")
    save(second, "agreed")
    assert "A. Peeters" in second.warning[0].value
    assert store.campaign(own.id).anchor == "A. Peeters"
    assert field(second, "text_input", "anchor|agreed").value == "B. Maes"
    save(second, "agreed")
    assert store.campaign(own.id).anchor == "B. Maes"


def test_what_is_half_said_is_not_kept(own: Campaign, store: Store) -> None:
    """A target without who agreed it, a view without a reason, no title and no language are each named and not kept."""
    test = open_page("campaign", lang="en", campaign=own.id)
    field(test, "selectbox", "targets.care|targets").set_value("3")
    assert "agreed" in save(test, "targets").error[0].value
    field(test, "text_area", "scope_views.care|axes").input("a pity")
    assert "out of scope" in save(test, "axes").error[0].value
    field(test, "text_input", "title|about").input("  ")
    for lang in LANGUAGES:
        field(test, "checkbox", f"language|{lang}|about").uncheck()
    assert len(save(test, "about").error) == 2
    assert store.campaign(own.id) == own


YESTERDAY, TOMORROW = (dt.datetime.now(dt.UTC).date() + dt.timedelta(days=n) for n in (-1, 1))


@pytest.mark.parametrize("name", ["closes", "next_date"])
@pytest.mark.parametrize("state", ["draft", "open"])
@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_day_that_is_past_is_not_announced(lang: str, state: str, name: str, store: Store) -> None:
    """A last day or a next campaign in the past is refused in words and nothing is kept; today and later are fine."""
    campaign = make(store, state)
    test = open_page("campaign", lang=lang, campaign=campaign.id)
    field(test, "date_input", f"{name}|agreed").set_value(YESTERDAY)
    label = words(f"ca-field-{name}", lang)
    said = words("ca-error-past", lang, field=label, date=day(YESTERDAY, lang))
    assert [one.value for one in save(test, "agreed").error] == [said]
    assert store.campaign(campaign.id) == campaign
    field(test, "date_input", f"{name}|agreed").set_value(YESTERDAY + dt.timedelta(days=1))
    assert not save(test, "agreed").error
    assert getattr(store.campaign(campaign.id), name) == YESTERDAY + dt.timedelta(days=1)


def test_the_next_campaign_comes_after_this_one(own: Campaign, store: Store) -> None:
    """A next campaign before the announced last day is refused, whichever of the two was changed."""
    test = open_page("campaign", lang="en", campaign=own.id)
    field(test, "date_input", "next_date|agreed").set_value(TOMORROW)
    save(test, "agreed")
    field(test, "date_input", "closes|agreed").set_value(TOMORROW + dt.timedelta(days=1))
    assert "before the announced last day" in save(test, "agreed").error[0].value
    assert store.campaign(own.id).closes is None
    field(test, "date_input", "next_date|agreed").set_value(TOMORROW + dt.timedelta(days=1))
    assert not save(test, "agreed").error
    field(test, "date_input", "next_date|agreed").set_value(TOMORROW)
    assert "before the announced last day" in save(test, "agreed").error[0].value


def test_an_old_campaign_stays_editable(own: Campaign, store: Store) -> None:
    """Days that were kept and have passed since hinder no other change of their form, and can be taken away."""
    store.edit_campaign(own.id, closes=dt.date(2020, 1, 2), next_date=dt.date(2019, 2, 1))
    test = open_page("campaign", lang="en", campaign=own.id)
    field(test, "text_input", "anchor|agreed").input("A. Peeters")
    assert not save(test, "agreed").error
    field(test, "date_input", "next_date|agreed").set_value(None)
    assert not save(test, "agreed").error
    now = store.campaign(own.id)
    assert (now.anchor, now.closes, now.next_date) == ("A. Peeters", dt.date(2020, 1, 2), None)


def test_a_last_day_that_has_passed_is_pointed_out_at_the_opening(store: Store) -> None:
    """Opening or reopening with an announced last day that is past says so first; one to come is passed over."""
    campaign = make(store, "draft")
    for closes, warned in ((YESTERDAY, True), (TOMORROW, False)):
        store.edit_campaign(campaign.id, closes=closes)
        test = open_page("campaign", lang="en", campaign=campaign.id)
        test.button(key="ca-open").click().run()
        assert (words("ca-open-past", date=day(closes, "en")) in text_of(test)) is warned
    store.edit_campaign(campaign.id, closes=YESTERDAY)
    store.open_campaign(campaign.id)
    store.close_campaign(campaign.id)
    test = open_page("campaign", lang="en", campaign=campaign.id)
    test.button(key="ca-reopen").click().run()
    assert words("ca-reopen-past", date=day(YESTERDAY, "en")) in text_of(test)


def test_an_axis_out_of_scope_gets_no_target(own: Campaign, store: Store) -> None:
    """A target and a reason to leave its axis out are never both kept, whoever keeps the other one first."""
    first, second = (open_page("campaign", lang="en", campaign=own.id) for _ in range(2))
    field(first, "text_area", "out_of_scope.care|axes").input("No wards.")
    save(first, "axes")
    field(second, "selectbox", "targets.care|targets").set_value("3")
    field(second, "text_input", "targets.care|by|targets").input("committee")
    assert "out of scope" in save(second, "targets").error[0].value
    field(second, "selectbox", "targets.services|targets").set_value("2")
    field(second, "text_input", "targets.services|by|targets").input("committee")
    field(second, "selectbox", "targets.care|targets").set_value("0")
    field(second, "text_input", "targets.care|by|targets").input("")
    assert not save(second, "targets").error
    field(first, "text_area", "out_of_scope.services|axes").input("No services.")
    assert "out of scope" in save(first, "axes").error[0].value
    now = store.campaign(own.id)
    assert (set(now.targets), set(now.out_of_scope)) == ({"services"}, {"care"})


def test_a_target_left_on_an_axis_out_of_scope_can_be_removed(own: Campaign, store: Store) -> None:
    """Where both were kept once, the form of targets still shows it, takes it away, and lets nothing else of it change."""
    store.edit_campaign(own.id, targets={"care": Target(3, "committee")}, out_of_scope={"care": "No wards."})
    test = open_page("campaign", lang="en", campaign=own.id)
    field(test, "text_area", "out_of_scope.care|axes").input("No wards any more.")
    assert not save(test, "axes").error
    assert words("ca-error-target-out", axis="Direct care") in text_of(test)
    field(test, "selectbox", "targets.care|targets").set_value("4")
    assert save(test, "targets").error
    field(test, "selectbox", "targets.care|targets").set_value("0")
    field(test, "text_input", "targets.care|by|targets").input("")
    assert not save(test, "targets").error
    assert not store.campaign(own.id).targets
    assert not [one for one in test.selectbox if str(one.key).startswith("targets.care|")]


def test_a_campaign_is_prepared_once(own: Campaign, store: Store) -> None:
    """After a campaign has been prepared the form begins anew: no title of before, no button that was pressed."""
    test = open_page("campaign", lang="en", campaign=own.id)
    before = str(field(test, "button", "ca-prepare-now|").key)
    field(test, "text_input", "ca-new-title|").input("Year two")
    field(test, "button", "ca-prepare-now|").click().run()
    assert len(store.campaigns()) == 2
    assert said(test) == words("ca-prepared", name="Year two")
    assert field(test, "text_input", "ca-new-title|").value != "Year two"
    assert before not in {str(one.key) for one in test.button}


def test_a_closed_campaign_changes_only_what_no_result_rests_on(own: Campaign, store: Store) -> None:
    """After closing the person and the dates can change, nothing else is offered."""
    store.close_campaign(own.id)
    test = open_page("campaign", lang="en", campaign=own.id)
    forms = [
        str(one.key) for one in test.button if str(one.key).startswith("save|") and own.id in str(one.key)
    ]
    assert [key.split("|")[1] for key in forms] == ["carried"]
    field(test, "text_input", "anchor|carried").input("C. Dubois")
    save(test, "carried")
    assert store.campaign(own.id).anchor == "C. Dubois"


def test_history_tells_each_change(own: Campaign, store: Store) -> None:
    """History says who changed what from which value to which, by axis where it is kept so."""
    store.edit_campaign(
        own.id, author="a@example.org", committee="agreed", targets={"care": Target(3, "the committee")}
    )
    store.edit_campaign(own.id, author="b@example.org", next_date=dt.date(2027, 3, 1))
    Invitations(store).personal(own.id, "patient", 12, author="b@example.org")
    text = text_of(open_page("campaign", lang="en", campaign=own.id))
    for part in (
        "a@example.org",
        words("committee-not_consulted") + " → " + words("committee-agreed"),
        "Direct care: 3 (Collaboration), agreed by the committee",
        day(dt.date(2027, 3, 1), "en"),
        words("ca-event-invited"),
        words("ca-people", n=12),
    ):
        assert part in text


def test_you_said_we_did_is_written_after_the_closing(own: Campaign, store: Store) -> None:
    """Before the closing nothing is asked; after it a line needs both halves, and can be taken away."""
    assert words("ca-feedback") not in text_of(open_page("campaign", lang="en", campaign=own.id))
    store.close_campaign(own.id)
    test = open_page("campaign", lang="en", campaign=own.id)
    text = text_of(test)  # what is to be done next stands above the settings
    assert text.index(words("ca-feedback")) < text.index(words("ca-settings"))
    field(test, "text_area", "ca-said|").input("<b>Nobody</b> answers the phone")
    field(test, "button", "ca-keep|").click().run()
    assert [one.value for one in test.error] == [words("ca-error-feedback")]
    field(test, "text_area", "ca-did|").input("A second line since March")
    field(test, "radio", "ca-did-state|").set_value("done")
    field(test, "button", "ca-keep|").click().run()
    assert said(test) == words("ca-saved")
    [line] = store.feedback(own.id)
    assert (line.said, line.did, line.state) == (
        "<b>Nobody</b> answers the phone",
        "A second line since March",
        "done",
    )
    assert "&lt;b&gt;Nobody&lt;/b&gt;" in html(test)
    assert not field(test, "text_area", "ca-said|").value
    test.button(key=f"ca-remove-now-{line.id}").click().run()
    assert not store.feedback(own.id)


def test_what_is_archived_is_hidden_until_asked_for(own: Campaign, store: Store) -> None:
    """An archived campaign and the campaigns of an archived institution leave every list, and come back."""
    hospital = load_library()["hospital"]
    other = store.add_campaign(own.institution, hospital, title="2027", year=2027)
    store.close_campaign(other.id)
    test = open_page("campaign", lang="en", campaign=other.id)
    test.button(key="ca-archive").click().run()
    assert store.campaign(other.id).archived
    assert said(test) == words("ca-archived-done", name="2027")
    assert "2027" not in text_of(open_page("results", lang="en", campaign=other.id))
    test.checkbox(key="ca-away").check().run()
    test.selectbox(key="campaign-choice").set_value(other.id).run()
    test.button(key="ca-restore").click().run()
    assert not store.campaign(other.id).archived
    test.button(key="ca-archive-institution").click().run()
    assert own.title in test.error[0].value
    assert not store.institutions()[0].archived
    store.close_campaign(own.id)
    test.button(key="ca-archive-institution").click().run()
    assert store.institutions()[0].archived
    assert {"ca-restore-institution", "ca-archive"} <= {button.key for button in test.button}
    assert "ca-reopen" not in {button.key for button in test.button}


def test_when_everything_is_archived_home_and_campaign_lead_to_the_archive(
    own: Campaign, store: Store
) -> None:
    """With the only campaign put away neither page greets a first visitor; both say where it is and open it."""
    store.close_campaign(own.id)
    store.edit_campaign(own.id, archived=True)
    for page in ("home", "campaign"):
        test = open_page(page, lang="en")
        text = text_of(test)
        assert words("all-away") in text
        assert words("home-lead") not in text
        assert words("ca-empty") not in text
        test.button(key="all-away-show").click().run()
        assert not test.exception
        assert test.session_state["ca-away"]
    assert own.title in text_of(test)
    assert "ca-restore" in {button.key for button in test.button}


def test_an_institution_keeps_what_a_table_said_of_it(store: Store) -> None:
    """A country and a type that the lists do not have stay as they are when only the size changes."""
    house = store.add_institution("H", country="de", type="day clinic")
    store.add_campaign(house.id, load_library()["hospital"], title="t", year=2026)
    test = open_page("campaign", lang="en")
    field(test, "number_input", f"beds|house|{house.id}").set_value(40)
    save(test, f"house|{house.id}")
    [now] = store.institutions()
    assert (now.country, now.type, now.beds) == ("de", "day clinic", 40)


def test_the_history_of_an_institution_says_who_manages_it(own: Campaign, store: Store) -> None:
    """What was changed on an institution and who was given or lost a role there is told, apart from its campaigns."""
    accounts = Accounts(store)
    for who in ("anna@example.org", "ben@example.org"):
        accounts.add(who)
    accounts.grant("anna@example.org", own.institution, "coordinator", author="root@example.org")
    accounts.grant("ben@example.org", EVERYWHERE, "reader", author="root@example.org")
    accounts.withdraw_grant("anna@example.org", own.institution, author="root@example.org")
    store.edit_institution(own.institution, beds=300, author="root@example.org")
    store.close_campaign(own.id, author="carl@example.org")
    test = open_page("campaign", lang="en", campaign=own.id)
    heading = re.escape(words("ca-history", n=5))
    [told] = [
        one.proto.body
        for at, one in enumerate(test.get("html"))
        if at and re.search(heading, test.get("html")[at - 1].proto.body)
    ]
    for part in (
        "root@example.org",
        "200 → 300",
        f"anna@example.org · {words('ca-role-coordinator')}",
        words("ca-event-grant_withdrawn"),
        f"{words('ca-role-reader')} · {words('ca-everywhere')}",
    ):
        assert part in told
    assert words("ca-event-withdrawn") not in told
    assert "carl@example.org" not in told


# --- neither side sees the other's results before the closing -----------------------------------------------------


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("name", ["results", "showcase"])
def test_patients_answers_wait_for_the_closing(name: str, lang: str, own: Campaign, store: Store) -> None:
    """While it is open a page shows the institution's side only, says why, and leads to the closing; then both."""
    fill(store, own, "quality", 5)
    fill(store, own, "patient", 6, option=0)
    test = open_page(name, lang=lang, campaign=own.id)
    text = text_of(test)
    assert words("kept-back-open", lang, n=6) in text
    assert words("banner-no-patients", lang) not in text
    assert not re.search(r"pm-lane pm-experienced\">\s*<i|sc-bar sc-experienced", text)
    assert "close-campaign" in {button.key for button in test.button}
    assert not test.get("download_button")
    store.close_campaign(own.id)
    text = text_of(open_page(name, lang=lang, campaign=own.id))
    assert words("kept-back-open", lang, n=6) not in text
    assert re.search(r"pm-lane pm-experienced\">\s*<i|sc-bar sc-experienced", text)


def test_one_sided_score_says_nothing_of_the_other_side(own: Campaign, store: Store) -> None:
    """Before the closing the score has no patients' position, gap, retained level, or finding about patients."""
    fill(store, own, "quality", 5)
    fill(store, own, "patient", 6, option=0)
    result, trace = results.scored(own)
    assert result["sealed"] == "open"
    assert result["respondents"]["experienced"] == 0
    for one in result["axes"].values():
        assert (one["experienced"], one["retained"], one["gap"]) == (None, None, None)
    assert not [row for row in trace if row["lens"] == "experienced" and row["mean"] is not None]
    told = [fact["fact"] for found in result["findings"] for fact in found["because"]]
    assert told
    assert not [fact for fact in told if fact.endswith("experienced")]
    closed = store.close_campaign(own.id)
    after, _ = results.scored(closed)
    assert after["sealed"] == ""
    assert all(one["gap"] is not None for one in after["axes"].values())


def test_what_one_patient_writes_changes_nothing_before_the_closing(own: Campaign, store: Store) -> None:
    """The Results page before the closing is the same whatever the patients answer, but for how many they are."""
    fill(store, own, "quality", 5)
    fill(store, own, "patient", 6, option=0)
    before = html(open_page("results", lang="en", campaign=own.id))
    fill(store, own, "patient", 6, option=-1)
    item = load_library()["hospital"].form("express")[0]
    option = load_library()["hospital"].options(item.id, "experienced")[0].id
    store.save(Answer(own.id, "patient-1", "patient", item.id, option, comment=SECRET))
    after = html(open_page("results", lang="en", campaign=own.id))
    assert before == after
    assert SECRET not in after


def test_without_the_institutions_answers_nothing_is_shown_before_the_closing(
    own: Campaign, store: Store
) -> None:
    """When only patients have answered, the page says that they have, and shows nothing of it."""
    fill(store, own, "patient", 6)
    test = open_page("results", lang="en", campaign=own.id)
    assert words("kept-back-open", n=6) in text_of(test)
    assert "pm-matrix" not in html(test)


def test_a_reading_is_shown_whole(store: Store) -> None:
    """A reading has no sides and waits for no closing."""
    house = store.add_institution("A")
    reading = store.add_campaign(house.id, load_library()["hospital"], title="t", year=2026, kind="reading")
    assert results.shown(reading) == results.Shown(("declared", "experienced"), "")


@pytest.mark.parametrize(("people", "hidden"), [(0, False), (4, True), (5, False)])
def test_a_researcher_sees_closed_campaigns_of_enough_patients(
    people: int,
    hidden: bool,  # noqa: FBT001
    own: Campaign,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A researcher sees nothing of an open campaign, and no figure of fewer than five patients of a closed one."""
    fill(store, own, "quality", 5)
    fill(store, own, "patient", people)
    become(monkeypatch, "researcher", own.institution)
    assert results.shown(own) == results.Shown((), "unseen")
    assert "pm-matrix" not in html(open_page("results", lang="en", campaign=own.id))
    closed = store.close_campaign(own.id)
    assert results.shown(closed).why == ("few" if hidden else "")
    text = text_of(open_page("results", lang="en", campaign=own.id))
    assert (words("kept-back-few", n=5) in text) is hidden
    result, _ = results.scored(closed)
    assert (result["respondents"]["experienced"] == 0) is (hidden or not people)


def test_twice_the_same_person_is_one_patient_for_a_researcher(
    own: Campaign, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three people who answered in two roles each are three, not six."""
    questionnaire = load_library()["hospital"]
    item = next(one for one in questionnaire.form("express") if one.asked_of("experienced"))
    option = questionnaire.options(item.id, "experienced")[0].id
    store.save_many(
        [
            Answer(own.id, f"p-{n}", role, item.id, option)
            for n in range(3)
            for role in ("patient", "relative")
        ]
    )
    become(monkeypatch, "researcher", own.institution)
    assert results.shown(store.close_campaign(own.id)).why == "few"


@pytest.mark.parametrize(("role", "offered"), [("reader", False), ("coordinator", True)])
def test_only_coordinators_are_offered_the_closing(
    role: str,
    offered: bool,  # noqa: FBT001
    own: Campaign,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A reader is told why patients' answers wait, a coordinator can do something about it."""
    fill(store, own, "quality", 5)
    fill(store, own, "patient", 6)
    become(monkeypatch, role, own.institution)
    test = open_page("results", lang="en", campaign=own.id)
    assert words("kept-back-open", n=6) in text_of(test)
    assert ("close-campaign" in {button.key for button in test.button}) is offered


def test_a_coordinator_of_another_house_changes_nothing_here(
    own: Campaign, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where somebody only reads, the page shows the settings and offers no form and no button."""
    other = store.add_institution("B")
    person = access.Person(
        "x@example.org", "X", MappingProxyType({own.institution: "reader", other.id: "coordinator"})
    )
    monkeypatch.setattr(access, "visitor", lambda: access.Visitor(person))
    test = open_page("campaign", lang="en", campaign=own.id)
    keys = [str(button.key) for button in test.button]
    assert words("ca-settings") in text_of(test)
    assert not [key for key in keys if own.id in key or key in ("ca-close", "ca-archive")]
    assert not [key for key in keys if own.institution in key]


@pytest.mark.parametrize(("role", "told"), [("reader", False), ("researcher", False), ("coordinator", True)])
def test_history_is_for_those_who_manage_the_institution(
    role: str,
    told: bool,  # noqa: FBT001
    own: Campaign,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who did what is told to coordinators of this institution, not to coordinators of another who may see results here."""
    store.edit_campaign(own.id, author="a@example.org", anchor="A. Peeters")
    store.add_feedback(own.id, said="too long a wait", did="a second desk", author="a@example.org")
    store.close_campaign(own.id, author="a@example.org")
    other = store.add_institution("B")
    person = access.Person(
        "x@example.org", "X", MappingProxyType({own.institution: role, other.id: "coordinator"})
    )
    monkeypatch.setattr(access, "visitor", lambda: access.Visitor(person))
    text = html(open_page("campaign", lang="en", campaign=own.id))
    assert "a second desk" in text
    assert ("a@example.org" in text) is told


def test_authors_are_kept(own: Campaign, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is done on the page is kept under the name of whoever did it."""
    become(monkeypatch, "coordinator")
    test = open_page("campaign", lang="en", campaign=own.id)
    field(test, "text_input", "anchor|agreed").input("A. Peeters")
    save(test, "agreed")
    turn(test, "close")
    assert [one.author for one in store.events(campaign=own.id)] == ["someone@example.org"] * 2 + [""] * 2


# --- what a result carries ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("view", ["agreed", "disagreed", "not_consulted"])
def test_cover_carries_the_committees_view_and_the_channels(view: str, store: Store) -> None:
    """Results and what is taken away say what the committee thinks, the scope, the person, and the channels' shares."""
    campaign = make(
        store,
        committee=view,
        scope="Cardiology",
        scope_kind="department",
        anchor="A. Peeters",
        targets={"care": Target(4, "the committee")},
    )
    fill(store, campaign, "quality", 5)
    fill(store, campaign, "patient", 5)
    item = next(one for one in load_library()["hospital"].form("express") if one.asked_of("experienced"))
    option = load_library()["hospital"].options(item.id, "experienced")[0].id
    store.save_many(
        [
            Answer(campaign.id, f"relative-{n}", "relative", item.id, option, channel="staff_entered")
            for n in range(5)
        ]
    )
    store.close_campaign(campaign.id)
    test = open_page("results", lang="en", campaign=campaign.id)
    text = text_of(test)
    assert words(f"committee-note-{view}") in text
    told = dict(results.facts(store.campaign(campaign.id)))
    assert told[words("fact-scope", "fr")] == "un service\N{NO-BREAK SPACE}: Cardiology"
    assert re.search(r"saisie par le personnel \d+", told[words("fact-channels-experienced", "fr")])
    assert told[words("fact-channels-declared", "fr")].startswith(f"{words('channel-own', 'fr')} 100")
    assert "A. Peeters" in text
    assert "Direct care: target 4" in text
    assert "pm-target" in text
    caption = "\n".join(results._caption(store.campaign(campaign.id)))
    assert words(f"committee-{view}", "fr") in caption
    rows = results._remarks(store.campaign(campaign.id)).splitlines()
    assert rows
    assert all(row.lstrip('"').startswith("# ") for row in rows)


def test_channels_of_few_patients_are_not_told(own: Campaign, store: Store) -> None:
    """Below five patients the shares of their channels are left out."""
    fill(store, own, "quality", 1)
    fill(store, own, "patient", 4)
    told = dict(results.facts(store.close_campaign(own.id)))
    assert words("fact-channels-declared", "fr") in told
    assert words("fact-channels-experienced", "fr") not in told


def test_institutions_answers_changed_after_a_reopening_are_listed(own: Campaign, store: Store) -> None:
    """A changed and a withdrawn answer of the institution stand on Results with what they were; nobody's code does."""
    fill(store, own, "quality", 5)
    fill(store, own, "patient", 5)
    store.close_campaign(own.id)
    assert words("section-changed") not in text_of(open_page("results", lang="en", campaign=own.id))
    store.reopen_campaign(own.id, "one ward was forgotten")
    items = [one for one in load_library()["hospital"].form("express") if one.asked_of("declared")]
    first, second = [one for one in items if one.condition != "safeguard"][:2]
    options = load_library()["hospital"].options(first.id, "declared")
    store.save(Answer(own.id, "quality-3", "quality", first.id, options[0].id))
    store.save(Answer(own.id, "quality-3", "quality", second.id, ""))
    store.save(Answer(own.id, "patient-1", "patient", first.id, "dk"))
    for close in (False, True):
        if close:
            store.close_campaign(own.id)
        text = text_of(open_page("results", lang="en", campaign=own.id))
        table = text[text.index(words("section-changed")) :]
        table = table[: table.index("</table>")]
        assert first.asked_of("declared").text["en"] in table  # type: ignore[union-attr]
        assert options[0].text["en"] in table
        assert options[-1].text["en"] in table
        assert words("changed-taken-back") in table
        assert "quality-3" not in text
        assert words("option-dk") not in table


def test_a_changed_setting_changes_the_result_at_once(own: Campaign, store: Store) -> None:
    """An axis put out of scope, or another country, is not answered from what was computed before."""
    fill(store, own, "quality", 5)
    assert results.scored(own)[0]["axes"]["policy"]["applicable"]
    now = store.edit_campaign(own.id, out_of_scope={"policy": "no mandate"})
    assert not results.scored(now)[0]["axes"]["policy"]["applicable"]


# --- figures of few patients --------------------------------------------------------------------------------------


def taken_away(store: Store, campaign: Campaign, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """The picture and the table that the Results page of a campaign, closed now, offers; empty when it offers none."""
    store.close_campaign(campaign.id)
    offered, files = st.download_button, {"image/svg+xml": "", "text/csv": ""}

    def keep(label: str, data: Any, **settings: Any) -> bool:
        files[settings["mime"]] = data if isinstance(data, str) else data.decode("utf-8-sig")
        return bool(offered(label, data, **settings))

    monkeypatch.setattr(st, "download_button", keep)
    open_page("results", lang="en", campaign=campaign.id)
    return files["image/svg+xml"], files["text/csv"]


def figures(table: str) -> dict[tuple[str, str], set[tuple[str, ...]]]:
    """By axis and lens, what the table says after the name of the lens, without its remarks."""
    told: dict[tuple[str, str], set[tuple[str, ...]]] = {}
    for line in table.splitlines()[1:]:
        if not line.startswith(("#", '"#')):
            axis, _, lens, *values = line.split(";")
            told.setdefault((axis, lens), set()).add(tuple(values))
    return told


def answer_axis(store: Store, campaign: Campaign, role: str, people: int, *axes: str) -> None:
    """Everyone of a role gives the lowest option on every question of some axes."""
    questionnaire, lens = load_library()["hospital"], load_matrix().lens_of[role]
    store.save_many(
        [
            Answer(campaign.id, f"{role}-{n}", role, item.id, questionnaire.options(item.id, lens)[0].id)
            for n in range(people)
            for item in questionnaire.form("express")
            if item.asked_of(lens) and item.axis in axes
        ]
    )


@pytest.mark.parametrize("people", [1, 4])
def test_figures_of_few_patients_do_not_travel(
    people: int, own: Campaign, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one to four patients the downloads hold the institution's side only, whatever they said, and say so."""
    fill(store, own, "quality", 5)
    fill(store, own, "patient", people, option=0)
    picture, table = taken_away(store, own, monkeypatch)
    for text in (picture, table):
        assert words("export-few", n=5) in text
        assert "only one side answered" not in text
    lived = load_matrix().title("lenses", "experienced", "en")
    assert lived in {lens for _, lens in figures(table)}
    for (_, lens), told in figures(table).items():
        for _, _, position, high, *derived in told:
            assert derived == ["", "", ""]
            assert bool(position and high) is (lens != lived)
    assert not re.search(r"experienced (?:\d|between|no answer)|at least|gap -?\d", picture)
    store.reopen_campaign(own.id, "again")
    fill(store, own, "patient", people, option=-1)
    assert taken_away(store, own, monkeypatch) == (picture, table)


def test_figures_of_five_patients_travel(
    own: Campaign, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From five patients on, the downloads hold both sides and what is derived from them."""
    fill(store, own, "quality", 5)
    fill(store, own, "patient", 5, option=0)
    picture, table = taken_away(store, own, monkeypatch)
    assert picture
    assert "fewer than" not in (picture + table).lower()
    assert figures(table)
    assert all(row[-1] and row[-3] for told in figures(table).values() for row in told)


def test_a_few_patients_alone_leave_nothing_to_take_away(
    own: Campaign, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where only a few patients answered and nobody of the institution, there is no download."""
    fill(store, own, "patient", 4)
    assert taken_away(store, own, monkeypatch) == ("", "")


@pytest.mark.parametrize(("patients", "whole"), [(1, False), (2, True)])
def test_an_axis_of_few_patients_does_not_travel(
    patients: int,
    whole: bool,  # noqa: FBT001
    own: Campaign,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An axis below five patients is withheld and named in the downloads; the others are whole; at five it is there."""
    fill(store, own, "quality", 5)
    answer_axis(store, own, "patient", 6, "services", "care")
    answer_axis(store, own, "relative", 3, "research")
    answer_axis(store, own, "patient", patients, "research")
    picture, table = taken_away(store, own, monkeypatch)
    title = {axis.id: axis.title["en"] for axis in load_matrix().axes}
    withheld = words("export-few-axes", n=5, axes=title["research"])
    told, lens = figures(table), load_matrix().title("lenses", "experienced", "en")
    for text in (picture, table):
        assert (withheld in text) is not whole
    assert all(row[-1] and row[-3] for row in told[title["services"], lens])
    assert all(any(row) is whole for row in told[title["research"], lens])
    assert "only one side answered" in picture  # on the axes of which no patient spoke


def answer_in_part(
    store: Store, campaign: Campaign, axis: str, level: str | None, option: int, people: int
) -> None:
    """Six patients answer everything, but of some questions of an axis only so many know the answer, and give this one."""
    fill(store, campaign, "patient", 6)
    questionnaire = load_library()["hospital"]
    asked = [one for one in questionnaire.form("express") if one.asked_of("experienced")]
    items = [one.id for one in asked if (one.axis, one.level) == (axis, level)]
    assert items
    given = {item: questionnaire.options(item, "experienced")[option].id for item in items}
    store.save_many(
        [
            Answer(campaign.id, f"patient-{n}", "patient", item, given[item] if n < people else "dk")
            for n in range(6)
            for item in items
        ]
    )


def rows_of(table: str, axis: str) -> dict[str, dict[str, str]]:
    """What a downloaded table says of the patients on an axis, by level and column."""
    title = {one.id: one.title["en"] for one in load_matrix().levels}
    told = {
        (row["axis"], row["lens"], row["level"]): row
        for row in csv.DictReader(table.splitlines(), delimiter=";")
        if not row["axis"].startswith("#")
    }
    first, lens = load_matrix().title("axes", axis, "en"), load_matrix().title("lenses", "experienced", "en")
    return {level: told[first, lens, title[level]] for level in title}


def test_a_cell_of_few_patients_does_not_travel(
    own: Campaign, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of six patients four know a level: its cell stays inside, with all that it could be worked out from, and is named."""
    fill(store, own, "quality", 5)
    answer_in_part(store, own, "services", "consultation", 0, 4)
    picture, table = taken_away(store, own, monkeypatch)
    named = load_matrix().title("axes", "services", "en") + " (Consultation)"
    for text in (picture, table):
        assert words("export-few-axes", n=5, axes=named).partition(". ")[0] in text
    assert "withheld in part" in picture
    rows = rows_of(table, "services")
    assert (rows["consultation"]["low"], rows["consultation"]["high"]) == ("", "")
    for level, row in rows.items():
        assert bool(row["low"] and row["high"]) is (level != "consultation")
        assert not any(
            row[name] for name in ("position", "position_high", "retained", "retained_high", "gap")
        )
    assert all(all(row.values()) for row in rows_of(table, "care").values())
    store.reopen_campaign(own.id, "again")
    answer_in_part(store, own, "services", "consultation", -1, 4)
    assert taken_away(store, own, monkeypatch) == (picture, table)
    store.reopen_campaign(own.id, "again")
    answer_in_part(store, own, "services", "consultation", -1, 5)
    picture, table = taken_away(store, own, monkeypatch)
    assert "fewer than" not in (picture + table).lower()
    assert all(all(row.values()) for row in rows_of(table, "services").values())


def test_a_question_beside_the_levels_that_few_answered_keeps_back_what_it_weighs_on(
    own: Campaign, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A question without a level can lower what is retained, and nothing else of the figure: only that stays inside."""
    questionnaire = load_library()["hospital"]
    axis = next(
        one.axis
        for one in questionnaire.form("express")
        if one.asked_of("experienced") and one.level is None and one.condition != "safeguard"
    )
    fill(store, own, "quality", 5)
    answer_in_part(store, own, axis, None, 0, 4)
    _, table = taken_away(store, own, monkeypatch)
    for row in rows_of(table, axis).values():
        assert all(row[name] for name in ("low", "high", "position", "gap"))
        assert not row["retained"]


def test_a_researcher_sees_no_cell_of_few_patients(
    own: Campaign, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a researcher's screen too, nothing depends on what the four patients said whose cell is withheld."""
    fill(store, own, "quality", 5)
    become(monkeypatch, "researcher", own.institution)
    told = []
    for option in (0, -1):
        answer_in_part(store, own, "services", "consultation", option, 4)
        closed = store.close_campaign(own.id)
        result, _ = results.scored(closed)
        told.append(result)
        told.append([html(open_page(name, lang="en", campaign=own.id)) for name in ("results", "showcase")])
        store.reopen_campaign(own.id, "again")
    assert told[0] == told[2]
    assert told[1] == told[3]
    services = told[0]["axes"]["services"]
    assert (services["sealed"], services["retained"], services["gap"]) == ("few", None, None)
    assert set(services["experienced"]["cells"]) == set(load_matrix().ids("levels")) - {"consultation"}
    assert "withheld in part" in told[1][0]
    assert "gap not shown" in told[1][0]
    assert words("sc-few", n=5) in told[1][1]


KNOW, UNSURE, BESIDE = "always", "dk", "na"


@pytest.mark.parametrize(
    ("said", "few"),
    [
        ({"patient": [KNOW] * 5}, False),
        ({"patient": [KNOW] * 4 + [UNSURE] * 2}, True),
        ({"patient": [KNOW] * 4, "relative": [KNOW] * 4}, True),  # the same four people
        ({"patient": [KNOW] * 4 + [UNSURE] * 9, "relative": [KNOW] * 3}, True),  # only the relatives speak
        ({"patient": [KNOW] * 4 + [UNSURE] * 9, "relative": [KNOW] * 5}, False),
        ({"patient": [BESIDE] * 2}, True),
        ({"patient": [UNSURE] * 5}, False),
        ({"quality": [KNOW]}, False),
    ],
)
def test_people_behind_a_question_are_those_its_figure_rests_on(
    said: dict[str, list[str]],
    few: bool,  # noqa: FBT001
    own: Campaign,
    store: Store,
) -> None:
    """Whoever answers in two roles is one person, and a role in which too few know to speak adds nobody."""
    item = next(one for one in load_library()["hospital"].form("express") if one.asked_of("experienced")).id
    store.save_many(
        [
            Answer(own.id, f"p-{n}", role, item, answer, reason="x")
            for role, answers in said.items()
            for n, answer in enumerate(answers)
        ]
    )
    assert (item in few_patients(store.answers([own.id]))) is few


def trace_of(campaign: Campaign) -> str:
    """The patients' table behind a cell, in English."""
    text = text_of(open_page("results", lang="en", campaign=campaign.id))
    part = text[text.rindex(words("section-trace")) :]
    part = part[part.rindex('<table class="fr-table fr-stack">') :]
    return part[part.index("<tbody>") : part.index("</table>")]


def test_trace_never_tells_what_a_single_relative_said(own: Campaign, store: Store) -> None:
    """Beside six patients, one relative's value, role and options stay in the figure of all, with the count of all."""
    fill(store, own, "quality", 5)
    fill(store, own, "patient", 6, option=-1)
    fill(store, own, "relative", 1, option=0)
    told = trace_of(store.close_campaign(own.id))
    assert words("sc-all-n", n=7) in told
    for role in ("patient", "relative"):
        assert f"{load_matrix().title('roles', role, 'en')}: " not in told
    assert TIMES not in told


@pytest.mark.parametrize(("speaking", "hidden"), [(4, True), (5, False)])
def test_trace_hides_a_question_that_few_answered(
    speaking: int,
    hidden: bool,  # noqa: FBT001
    own: Campaign,
    store: Store,
) -> None:
    """Of a question that fewer than five of six patients answered, no value, role or count is shown, nor the cell's."""
    fill(store, own, "quality", 5)
    fill(store, own, "patient", 6)
    items = [one for one in load_library()["hospital"].form("express") if one.asked_of("experienced")]
    store.save_many(
        [
            Answer(own.id, f"patient-{n}", "patient", item.id, "dk")
            for n in range(speaking, 6)
            for item in items
            if item.condition != "safeguard"
        ]
    )
    closed = store.close_campaign(own.id)
    told, text = trace_of(closed), text_of(open_page("results", lang="en", campaign=closed.id))
    assert (words("sc-withheld") in told) is hidden
    assert (TIMES in told) is not hidden
    assert (words("trace-dk", n=6 - speaking) in told) is not hidden
    assert (words("sc-few", n=5) in text) is hidden
    assert (f"{load_matrix().title('lenses', 'experienced', 'en')}: {words('sc-withheld')}" in text) is hidden


# --- Home and Answer ----------------------------------------------------------------------------------------------


def test_home_leads_from_one_step_to_the_next(store: Store) -> None:
    """Open it, answer, invite patients, close, read: Home names the one thing to do at each point."""
    campaign = make(store, "draft")

    def step() -> tuple[str, list[str]]:
        test = open_page("home", lang="en", campaign=campaign.id)
        keys = [str(one.key) for one in test.button if str(one.key).startswith("next-")]
        return text_of(test), keys

    said, keys = step()
    assert (words("next-open") in said, keys[0]) == (True, "next-campaign")
    store.open_campaign(campaign.id)
    said, keys = step()
    assert (words("next-first") in said, keys) == (True, ["next-answer", "next-invite"])
    fill(store, campaign, "quality", 1)
    said, keys = step()
    assert (words("next-patients") in said, keys) == (True, ["next-invite", "next-results"])
    fill(store, campaign, "patient", 4)
    said, keys = step()
    assert (words("next-few", n=5) in said, keys) == (True, ["next-invite", "next-campaign"])
    fill(store, campaign, "patient", 5)
    said, keys = step()
    assert (words("next-close") in said, keys) == (True, ["next-campaign", "next-invite"])
    store.close_campaign(campaign.id)
    said, keys = step()
    assert (words("next-results") in said, keys) == (True, ["next-results", "next-campaign"])


def test_home_counts_invited_started_and_submitted(own: Campaign, store: Store) -> None:
    """By role Home shows who was invited, has started and has submitted, and the share of answers to invitations."""
    invitations = Invitations(store)
    issued = invitations.personal(own.id, "patient", 4)
    for one in issued[:3]:
        invitations.start(own.id, one.code, "fr")
    invitations.submit(issued[0].token)
    fill(store, own, "patient", 2)
    text = text_of(open_page("home", lang="en", campaign=own.id))
    [row] = re.findall(r'<tr><th scope="row">Patient</th>(.*?)</tr>', text)
    assert re.findall(r">([^<>]+)</td>", row)[:5] == ["4", "3", "1", "▽ 25%", "2"]


@pytest.mark.parametrize("reach", [None, 1])
def test_home_and_invite_tell_one_rate(reach: int | None, own: Campaign, store: Store) -> None:
    """Where a shared link reached nobody knows how many, or more sent than it was to reach, both pages say no rate."""
    invitations = Invitations(store)
    invitations.personal(own.id, "patient", 2)
    link = invitations.shared(own.id, "patient", expected=reach)
    for _ in range(4):
        begun = invitations.begin(link.token, "fr")
        assert begun is not None
        invitations.submit(begun[1])
    tables = []
    for page in ("home", "invite"):
        text = text_of(open_page(page, lang="en", campaign=own.id))
        [row] = re.findall(rf'<tr><th scope="row">Patient</th>(.*?{words("nobody")}.*?)</tr>', text)
        tables.append(re.findall(r">([^<>]+)</td>", row)[:4])
        assert words("progress-unknown") in text
    assert tables[0] == tables[1]
    assert tables[0] == [str(reach + 2) if reach else frame.NOTHING, "4", "4", frame.NOTHING]


def test_a_role_that_the_matrix_no_longer_has_stops_no_page(own: Campaign, store: Store) -> None:
    """Answers and links in a role of an earlier matrix leave Home and Invite whole, and are told by the role's id."""
    fill(store, own, "quality", 1)
    link = Invitations(store).shared(own.id, "patient")
    assert Invitations(store).begin(link.token, "fr")
    answer_in_an_old_role(store)
    for table in (layout.invitation, layout.respondent):
        old = table.update().values(role="matron")
        store.write(lambda connection, old=old: connection.execute(old))
    for page in ("home", "invite"):
        test = open_page(page, lang="en", campaign=own.id)
        assert not test.exception
        assert words("trouble-ours") not in text_of(test)
    assert '<th scope="row">matron</th>' in text_of(test)
    test.button(key="inv-renew").click().run()
    test.button(key="inv-yes").click().run()
    assert not test.exception
    assert any("/s/" in one.value for one in test.code)


@pytest.mark.parametrize("state", ["draft", "closed"])
def test_questions_are_asked_only_while_it_is_open(state: str, store: Store) -> None:
    """Before the opening and after the closing the Answer page says so, asks nothing, and has one button."""
    campaign = make(store, "draft" if state == "draft" else "open")
    if state == "closed":
        store.close_campaign(campaign.id)
    test = open_page("answer", lang="en", campaign=campaign.id, role="quality", respondent="p-1")
    assert words(f"answer-{state}-why") in text_of(test)
    assert not test.radio
    own = [str(one.key) for one in test.button if not str(one.key).startswith(("language-", "again"))]
    assert own == ["to-campaign" if state == "draft" else "to-results"]


def test_a_click_after_the_closing_is_refused_in_words(own: Campaign, store: Store) -> None:
    """Whoever has the questions open while somebody closes is told that the answer was not kept."""
    test = open_page("answer", lang="en", campaign=own.id, role="quality", respondent="p-1")
    store.close_campaign(own.id)
    test.radio[0].set_value("dk").run()
    assert not test.exception
    assert not store.respondent(own.id, "p-1", "quality")
    assert words("not-saved").partition("{")[0] in text_of(test)


def test_nobody_opens_the_answers_of_somebody_invited(own: Campaign, store: Store) -> None:
    """A person with a link of their own is not opened by address; one entered here is."""
    [issued] = Invitations(store).personal(own.id, "patient", 1)
    item = next(one for one in load_library()["hospital"].form("express") if one.asked_of("experienced"))
    option = load_library()["hospital"].options(item.id, "experienced")[0].id
    for code in (issued.code, "p-entered"):
        store.save(Answer(own.id, code, "patient", item.id, option, comment=SECRET, channel="staff_entered"))
    test = open_page("answer", lang="en", campaign=own.id, role="patient", respondent=issued.code)
    assert issued.code in test.error[0].value
    assert SECRET not in [one.value for one in test.text_input]
    test = open_page("answer", lang="en", campaign=own.id, role="patient", respondent="p-entered")
    assert SECRET in [one.value for one in test.text_input]


# --- the demonstration --------------------------------------------------------------------------------------------


def test_invented_campaigns_are_agreed_closed_and_followed_up(store: Store) -> None:
    """The example and the network are closed, with targets of an invented committee, a role, a next date and feedback."""
    made = [one for one in load_demo(store, network=2) if one.startswith("demo")]
    assert len(made) == 3
    for id_ in made:
        one = store.campaign(id_)
        assert (one.state, one.committee) == ("closed", "agreed")
        assert one.targets
        assert all("inventé" in target.by for target in one.targets.values())
        assert "inventé" in one.anchor
        assert one.next_date
        lines = store.feedback(id_)
        assert 1 <= len(lines) <= 2
        assert all("synthétique" in line.said and "synthétique" in line.did for line in lines)


def test_an_example_cut_short_before_its_closing_is_closed(store: Store) -> None:
    """What stopped between the answers and the closing is finished; what somebody opened again stays open."""
    load_example(store)
    store.reopen_campaign("demo-example", "to look around")
    load_example(store)
    assert store.campaign("demo-example").state == "open"
    house = store.add_institution("x", id="demo-1-001", synthetic=True)
    store.add_campaign(
        house.id, load_library()["hospital"], title="t", year=2026, id=house.id, synthetic=True
    )
    item = load_library()["hospital"].items[0]
    store.save(Answer(house.id, "p", "quality", item.id, "dk"))
    load_demo(store, network=1)
    assert store.campaign(house.id).state == "closed"
    assert store.answers([house.id]).num_rows == 1


def test_every_word_of_history_is_known() -> None:
    """Each thing that can be done to a campaign, and each setting, has words in history."""
    source = "".join(
        Path(campaigns.__file__).parents[1].joinpath("data", name).read_text(encoding="utf-8")
        for name in ("store.py", "invitations.py", "importing.py")
    )
    done = set(re.findall(r'note\(\s*connection,\s*author,\s*"(\w+)"', source))
    done |= set(re.findall(r'_note\(connection, author, "(\w+)"', source)) | {
        "edited",
        "archived",
        "restored",
    }
    assert {"created", "invited", "revoked"} <= done
    assert not {one for one in done if f"ca-event-{one}" not in frame.words().texts}


# --- in a real browser --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str, str]]:
    """A server with the example, which is closed, and a draft."""
    server = Server(tmp_path_factory.mktemp("campaigns"))
    with Store.open(server.store) as store:
        closed, draft = load_example(store), make(store, "draft").id
    with server:
        yield server, closed, draft


def _unfold(page: Page) -> None:
    """Open whatever is folded."""
    page.evaluate(
        "document.querySelectorAll('.stMain details:not([open]) > summary').forEach(one => one.click())"
    )
    page.wait_for_timeout(500)
    ready(page)


@pytest.fixture
def walk(server: Server, visitor: Visitor) -> tuple[Server, Page]:
    """A visitor of a server on an empty store."""
    return server, visitor(locale="en")


def _press(page: Page, key: str) -> None:
    """Press a button by the keyboard."""
    page.get_by_role("button", name=words(key), exact=True).focus()
    page.keyboard.press("Enter")


def _prepare(server: Server, page: Page) -> Campaign:
    """Make an institution and a campaign on the page, settle and open it."""
    page.goto(f"{server.url}/campaign?lang=en")
    ready(page)
    page.locator(".st-key-ca-new-institution summary").click()
    page.get_by_label(words("field-name")).fill("Valley Hospital")
    _press(page, "ca-add")
    expect(page.locator(".st-key-ca-prepare summary")).to_be_visible()
    ready(page)
    page.locator(".st-key-ca-prepare summary").click()
    page.locator(".st-key-ca-prepare").get_by_text("Express").click()
    expect(page.locator(".st-key-ca-prepare").get_by_role("radio").last).to_be_checked()
    _press(page, "ca-prepare-now")
    expect(page.locator(".fr-done", has_text=words("ca-prepared", name="").strip())).to_be_in_viewport()
    expect(page.locator(".st-key-ca-prepare details[open]")).to_have_count(0)
    ready(page)
    page.keyboard.press("Enter")  # once more, from the same place: nothing is there to be pressed any more
    expect(page.get_by_role("heading", name=words("ca-state-draft"))).to_be_visible()
    ready(page)
    page.locator(".st-key-ca-section-agreed summary").click()
    page.locator(".st-key-ca-section-agreed").get_by_text(words("committee-agreed"), exact=True).click()
    expect(page.locator(".st-key-ca-section-agreed").get_by_role("radio").first).to_be_checked()
    page.get_by_label(words("ca-field-anchor")).fill("A. Peeters")
    page.locator(".st-key-ca-section-agreed").get_by_role("button", name=words("ca-save")).click()
    expect(page.locator(".fr-done", has_text=words("ca-saved"))).to_be_in_viewport()
    expect(page.locator(".fr-live")).to_have_text(words("ca-saved"))
    ready(page)
    _press(page, "ca-open")
    _press(page, "ca-open-now")
    expect(page.get_by_role("heading", name=words("ca-state-open"))).to_be_visible()
    with Store.open(server.store) as store:
        [campaign] = store.campaigns()
        assert campaign.form == "express"
        assert (campaign.committee, campaign.anchor, campaign.state) == ("agreed", "A. Peeters", "open")
        fill(store, campaign, "patient", 5)
    return campaign


def _answer(server: Server, page: Page, campaign: Campaign, option: int) -> None:
    page.goto(f"{server.url}/answer?lang=en&campaign={campaign.id}&role=quality&respondent=p-walk")
    page.wait_for_selector(".fr-progress")
    ready(page)
    page.get_by_role("radiogroup").first.locator("label").nth(option).click()
    expect(page.locator('[class*="st-key-card-"]').first.get_by_text("Saved at")).to_be_visible()
    ready(page)
    page.get_by_role("link", name=words("nav-results")).click()


@pytest.mark.browser
def test_a_campaign_from_beginning_to_end(walk: tuple[Server, Page]) -> None:
    """Create, settle, open, answer, close, see both sides, reopen with a reason, change an answer: it is listed."""
    server, page = walk
    campaign = _prepare(server, page)
    _answer(server, page, campaign, 2)
    expect(page.get_by_text(words("kept-back-open", n=5))).to_be_visible()
    ready(page)
    assert page.locator(".pm-experienced .pm-mark").count() == 0
    _press(page, "close-campaign")
    expect(page.get_by_text(words("ca-close-1"))).to_be_visible()
    _press(page, "ca-close-now")
    expect(page.locator(".fr-done", has_text=words("ca-close-done"))).to_be_in_viewport()
    ready(page)
    page.get_by_role("link", name=words("nav-results")).click()
    expect(page.locator(".pm-experienced .pm-mark").first).to_be_attached()
    expect(page.get_by_text(words("committee-note-agreed"))).to_be_visible()
    page.get_by_role("link", name=words("nav-campaign"), exact=True).click()
    _press(page, "ca-reopen")
    page.get_by_label(words("ca-reason")).fill("one answer was a slip")
    _press(page, "ca-reopen-now")
    expect(page.locator(".fr-done", has_text=words("ca-reopen-done"))).to_be_in_viewport()
    ready(page)
    _answer(server, page, campaign, 1)
    expect(page.get_by_role("heading", name=words("section-changed"))).to_be_visible()


@pytest.mark.browser
def test_language_switch_keeps_what_is_being_written(
    shown: tuple[Server, str, str], visitor: Visitor
) -> None:
    """A text that is not saved yet is still in its field after a change of language."""
    server, _, draft = shown
    page = visitor(locale="en")
    page.goto(f"{server.url}/campaign?lang=en&campaign={draft}")
    ready(page)
    page.locator(".st-key-ca-section-agreed summary").click()
    page.get_by_label(words("ca-field-anchor")).fill("A. Peeters")
    page.get_by_role("button", name="Nederlands").click()
    expect(page.get_by_label(words("ca-field-anchor", "nl"))).to_have_value("A. Peeters")


@pytest.mark.browser
@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("which", [1, 2])
def test_phone_never_scrolls_sideways(
    which: int, lang: str, shown: tuple[Server, str, str], visitor: Visitor
) -> None:
    """At 390 pixels nothing is wider than the screen, with everything unfolded."""
    page = visitor(viewport=PHONE, locale=lang)
    page.goto(f"{shown[0].url}/campaign?lang={lang}&campaign={shown[which]}")
    page.wait_for_selector(".st-key-ca-life")
    ready(page)
    _unfold(page)
    assert not too_wide(page)


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("which", [1, 2])
def test_accessible(which: int, scheme: str, shown: tuple[Server, str, str], visitor: Visitor) -> None:
    """No violation of WCAG 2.2 AA that axe can see, with everything unfolded, in light and dark."""
    page = visitor(color_scheme=scheme)
    page.goto(f"{shown[0].url}/campaign?lang=fr&campaign={shown[which]}")
    page.wait_for_selector(".st-key-ca-life")
    ready(page)
    _unfold(page)
    assert not faults(page)
