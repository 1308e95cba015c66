"""Campaigns open, close and reopen; what changes leaves a line, and a closed campaign keeps what it rests on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from data import Answer, Campaign, Store, StoreError, Target
from questionnaires import load_library

ITEM = "services.committee-members"


@pytest.fixture
def store() -> Iterator[Store]:
    """A store in memory."""
    with Store.open("sqlite://") as opened:
        yield opened


def new(store: Store, **given: Any) -> Campaign:
    """A campaign of a hospital."""
    house = store.add_institution("Hôpital A", country="be", author="anna")
    fields = {"title": "2026", "year": 2026, "author": "anna", **given}
    return store.add_campaign(house.id, load_library()["hospital"], **fields)


def codes(caught: pytest.ExceptionInfo[StoreError]) -> list[str]:
    """The codes of what was refused."""
    return [one.code for one in caught.value.problems]


def said(store: Store, campaign: str, answer: str, role: str = "quality", item: str = ITEM) -> None:
    """One person says something."""
    store.save(Answer(campaign, f"p-{role}", role, item, answer))


def test_a_campaign_lives_from_draft_to_closed_and_back(store: Store) -> None:
    """It takes answers while it is open and only then, and keeps the day it first opened."""
    campaign = new(store, state="draft").id
    with pytest.raises(StoreError) as caught:
        said(store, campaign, "most")
    assert codes(caught) == ["store-not-open"]
    opened = store.open_campaign(campaign, author="anna").opened
    said(store, campaign, "most")
    closed = store.close_campaign(campaign, author="anna")
    assert (closed.state, closed.opened, closed.closed is not None) == ("closed", opened, True)
    with pytest.raises(StoreError) as caught:
        said(store, campaign, "pilot")
    assert codes(caught) == ["store-not-open"]
    assert store.answers([campaign])["answer"].to_pylist() == ["most"]
    again = store.reopen_campaign(campaign, "  Une unité manquait.  ", author="bea")
    assert (again.state, again.opened, again.closed) == ("open", opened, None)
    assert store.campaign(campaign) == again
    told = [(one.author, one.what, one.detail) for one in store.events(campaign=campaign)]
    assert told == [
        ("bea", "reopened", {"reason": "Une unité manquait."}),
        ("anna", "closed", {}),
        ("anna", "opened", {}),
        ("anna", "created", {}),
    ]


def test_each_turn_needs_the_state_before_it(store: Store) -> None:
    """Nothing opens twice, closes twice or reopens while open; a reason that says nothing is no reason."""
    campaign = new(store).id
    with pytest.raises(StoreError) as caught:
        store.open_campaign(campaign)
    assert codes(caught) == ["store-not-draft"]
    with pytest.raises(StoreError) as caught:
        store.reopen_campaign(campaign, "raison")
    assert codes(caught) == ["store-not-closed"]
    store.close_campaign(campaign)
    with pytest.raises(StoreError) as caught:
        store.close_campaign(campaign)
    assert codes(caught) == ["store-not-open"]
    with pytest.raises(StoreError) as caught:
        store.reopen_campaign(campaign, "  ")
    assert codes(caught) == ["empty-text"]
    assert [one.what for one in store.events(campaign=campaign)] == ["closed", "created"]


def test_an_edit_keeps_old_and_new_and_only_what_changed(store: Store) -> None:
    """The line of history names each changed field with both values; an edit that changes nothing leaves none."""
    campaign = new(store).id
    targets = {"services": Target(3, "comité des patients, 12 mars")}
    edited = store.edit_campaign(
        campaign, author="bea", targets=targets, committee="agreed", title="2026", retention_months=36
    )
    assert store.campaign(campaign) == edited
    assert edited.targets == targets
    first, *rest = store.events(campaign=campaign)
    assert (first.author, first.what, len(rest)) == ("bea", "edited", 1)
    assert first.detail == {
        "targets": [{}, {"services": [3, "comité des patients, 12 mars"]}],
        "committee": ["not_consulted", "agreed"],
        "retention_months": [24, 36],
    }
    store.edit_campaign(campaign, author="bea", committee="agreed")
    assert len(store.events(campaign=campaign)) == 2


def test_two_people_who_edit_keep_both_changes(store: Store) -> None:
    """Who changes one field does not undo what somebody else changed in another."""
    campaign = new(store).id
    store.edit_campaign(campaign, author="a", anchor="Service Qualité")
    store.edit_campaign(campaign, author="b", scope="Oncologie", scope_kind="department")
    now = store.campaign(campaign)
    assert (now.anchor, now.scope, now.scope_kind) == ("Service Qualité", "Oncologie", "department")


@pytest.mark.parametrize("field", ["title", "targets", "out_of_scope", "committee", "programme_start"])
def test_a_closed_campaign_is_locked(store: Store, field: str) -> None:
    """What the results rest on changes only after reopening; who carries it, and until when it is kept, may change."""
    campaign = new(store).id
    store.close_campaign(campaign)
    value = {"targets": {"care": Target(2, "x")}, "out_of_scope": {"care": "x"}, "committee": "agreed"}.get(
        field, "autre"
    )
    with pytest.raises(StoreError) as caught:
        store.edit_campaign(campaign, **{field: value})
    assert codes(caught) == ["store-campaign-locked"]
    assert store.edit_campaign(campaign, anchor="Direction", retention_months=6, archived=True).archived


@pytest.mark.parametrize(
    "field", ["questionnaire", "version", "fingerprint", "form", "institution", "state", "id"]
)
def test_what_a_campaign_is_asked_with_is_pinned(store: Store, field: str) -> None:
    """No edit changes the questionnaire, its version or form, or moves a campaign elsewhere."""
    with pytest.raises(TypeError):
        store.edit_campaign(new(store).id, **{field: "x"})


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"committee": "perhaps"}, "not-among"),
        ({"scope_kind": "ward"}, "not-among"),
        ({"targets": {"care": Target(5, "comité")}}, "not-among"),
        ({"targets": {"care": Target(3, " ")}}, "empty-text"),
        ({"out_of_scope": {"care": ""}}, "empty-text"),
        ({"scope_views": {"care": "x" * 5000}}, "store-too-long"),
        ({"title": ""}, "empty-text"),
        ({"retention_months": 0}, "store-months"),
        ({"retention_months": 121}, "store-months"),
    ],
)
def test_settings_that_cannot_be_are_refused(store: Store, settings: dict[str, Any], code: str) -> None:
    """A choice, a level, a text or a period that cannot be is refused, at the start and later, and nothing is kept."""
    campaign = new(store)
    with pytest.raises(StoreError) as caught:
        store.edit_campaign(campaign.id, **settings)
    assert codes(caught) == [code]
    assert store.campaign(campaign.id) == campaign
    with pytest.raises(StoreError) as caught:
        new(store, **settings)
    assert codes(caught) == [code]
    assert len(store.campaigns()) == 1


def test_institutions_are_edited_and_archived(store: Store) -> None:
    """A change of name or size and a stay in the archive leave their lines; an unknown one is refused."""
    house = store.add_institution("Hôpital A", author="anna")
    store.edit_institution(house.id, author="bea", name="Hôpital B", beds=300)
    gone = store.edit_institution(house.id, author="bea", archived=True)
    store.edit_institution(house.id, author="bea", archived=False)
    assert (gone.name, gone.beds, gone.archived) == ("Hôpital B", 300, True)
    told = [(one.what, one.detail) for one in store.events(institution=house.id)]
    assert told == [
        ("restored", {"archived": [True, False]}),
        ("archived", {"archived": [False, True]}),
        ("edited", {"name": ["Hôpital A", "Hôpital B"], "beds": [None, 300]}),
        ("created", {}),
    ]
    with pytest.raises(StoreError) as caught:
        store.edit_institution("nowhere", name="x")
    assert codes(caught) == ["store-unknown-institution"]


def test_answers_changed_after_reopening_are_listed(store: Store) -> None:
    """Those that stood at the first closing and say something else now, of the roles asked for, and no others."""
    campaign = new(store).id
    others = ("services.proposals-decided", "services.decision-seats", "services.partner-training")
    for item in (ITEM, *others[:2]):
        said(store, campaign, "pilot", item=item)
    said(store, campaign, "sometimes", role="patient")
    assert store.changed_after_reopening(campaign, ["quality"]) == []
    store.close_campaign(campaign)
    store.reopen_campaign(campaign, "raison")
    said(store, campaign, "everywhere")
    said(store, campaign, "most")  # changed twice: what stands now counts
    said(store, campaign, "most", item=others[0])
    said(store, campaign, "pilot", item=others[0])  # and back: no change
    said(store, campaign, "", item=others[1])  # taken back
    said(store, campaign, "pilot", item=others[2])  # new: no change
    said(store, campaign, "often", role="patient")
    listed = store.changed_after_reopening(campaign, ["quality", "direction"])
    assert [(one.item, one.before, one.after) for one in listed] == [
        (ITEM, "pilot", "most"),
        (others[1], "pilot", ""),
    ]


def test_history_is_append_only(store: Store) -> None:
    """The database itself refuses to change or drop a line of history."""
    new(store)
    for statement in ("UPDATE event SET author = 'x'", "DELETE FROM event"):
        with pytest.raises(StoreError):
            store.write(lambda connection, text=statement: connection.execute(sa.text(text)))
    assert [one.author for one in store.events()] == ["anna", "anna"]


def test_feedback_is_written_in_order_and_taken_off(store: Store) -> None:
    """What was said and done stands in the order it was written, until it is taken off; an unknown state is refused."""
    campaign = new(store).id
    store.add_feedback(
        campaign, said="Attente trop longue", did="Accueil doublé", axis="services", state="done"
    )
    store.add_feedback(campaign, said="Plus de places", did="À l'étude", author="anna")
    first, second = store.feedback(campaign)
    assert (first.axis, first.said, first.state) == ("services", "Attente trop longue", "done")
    assert (second.axis, second.state, second.author) == ("", "doing", "anna")
    store.remove_feedback(first.id)
    assert store.feedback(campaign) == [second]
    for wrong in ({"said": " "}, {"did": "x" * 5000}, {"state": "maybe"}):
        with pytest.raises(StoreError):
            store.add_feedback(campaign, **{"said": "a", "did": "b", **wrong})
    with pytest.raises(StoreError):
        store.add_feedback("nowhere", said="a", did="b")
