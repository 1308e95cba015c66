"""Campaigns open, close and reopen; what changes leaves a line, and a closed campaign keeps what it rests on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from data import Answer, Campaign, Store, StoreError, Target, layout
from data.store import note
from questionnaires import load_library

ITEM = "services.committee-members"


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


def last_answer(store: Store) -> int:
    """The highest id of an answer in the store."""
    query = sa.select(sa.func.max(layout.answer.c.id))
    return store.read(lambda connection: connection.execute(query).scalar_one())


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
        ("anna", "closed", {"last_answer": last_answer(store)}),
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
    assert [one.what for one in store.events(campaign=campaign)] == ["closed", "opened", "created"]


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
    assert (first.author, first.what, len(rest)) == ("bea", "edited", 2)
    assert first.detail == {
        "targets": [{}, {"services": [3, "comité des patients, 12 mars"]}],
        "committee": ["not_consulted", "agreed"],
        "retention_months": [24, 36],
    }
    store.edit_campaign(campaign, author="bea", committee="agreed")
    assert len(store.events(campaign=campaign)) == 3


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
    campaign = new(store)
    with pytest.raises(TypeError, match=f" {field} "):
        store.edit_campaign(campaign.id, **{field: "x"})
    assert store.campaign(campaign.id) == campaign


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


def test_what_still_takes_answers_is_not_put_away(store: Store) -> None:
    """An institution with open assessments stays, as they do, and the refusal names them; once closed both can go."""
    first = new(store, title="Première")
    hospital = load_library()["hospital"]
    store.add_campaign(first.institution, hospital, title="Seconde", year=2026)
    store.add_campaign(first.institution, hospital, title="Lecture", year=2026, kind="reading")
    store.add_campaign(first.institution, hospital, title="Projet", year=2026, state="draft")
    for put_away, named in (
        (lambda: store.edit_institution(first.institution, name="B", archived=True), "Première, Seconde."),
        (lambda: store.edit_campaign(first.id, anchor="x", archived=True), "Première."),
    ):
        with pytest.raises(StoreError) as caught:
            put_away()
        assert codes(caught) == ["store-archive-open"]
        assert named in str(caught.value)
    assert (store.institutions()[0].name, store.campaign(first.id)) == ("Hôpital A", first)
    for campaign in store.campaigns():
        if (campaign.kind, campaign.state) == ("assessment", "open"):
            store.close_campaign(campaign.id)
    assert store.edit_campaign(first.id, archived=True).archived
    assert store.edit_institution(first.institution, archived=True).archived


def test_nothing_opens_where_it_is_put_away(store: Store) -> None:
    """No campaign is opened, reopened, made or imported in an archived institution, nor an archived one reopened."""
    done, draft = new(store), new(store, state="draft")
    store.close_campaign(done.id)
    for house in (done.institution, draft.institution):
        store.edit_institution(house, archived=True)
    blank = dict.fromkeys(("kind", "country", "type", "scope", "form", "programme_start", "out_of_scope"), "")
    row = {**blank, "assessment": "x", "institution": done.institution, "campaign": "2026", "beds": None}
    hospital = load_library()["hospital"]
    for call in (
        lambda: store.open_campaign(draft.id),
        lambda: store.reopen_campaign(done.id, "raison"),
        lambda: store.add_campaign(done.institution, hospital, title="t", year=2026),
        lambda: store.add_assessments([{**row, "out_of_scope_reason": ""}], hospital),
    ):
        with pytest.raises(StoreError) as caught:
            call()
        assert codes(caught) == ["store-put-away"]
    store.edit_institution(done.institution, archived=False)
    store.edit_campaign(done.id, archived=True)
    with pytest.raises(StoreError) as caught:
        store.reopen_campaign(done.id, "raison")
    assert codes(caught) == ["store-put-away"]
    assert {one.state for one in store.campaigns()} == {"closed", "draft"}
    assert store.edit_campaign(done.id, archived=False).archived is False
    assert store.reopen_campaign(done.id, "raison").state == "open"


def test_single_axes_are_changed_inside_the_store(store: Store) -> None:
    """Of a setting kept by axis only the named axes change, and none takes one out; others' axes stay; what cannot be is refused."""
    campaign = new(store, targets={"care": Target(1, "a"), "research": Target(2, "b")}).id
    store.edit_campaign(campaign, author="a", by_axis={"targets": {"care": Target(3, "a")}})
    now = store.edit_campaign(
        campaign,
        author="b",
        by_axis={"targets": {"services": Target(4, "b"), "research": None}, "out_of_scope": {"policy": "x"}},
        anchor="B. Maes",
    )
    assert store.campaign(campaign) == now
    assert now.targets == {"care": Target(3, "a"), "services": Target(4, "b")}
    assert (now.out_of_scope, now.anchor) == ({"policy": "x"}, "B. Maes")
    assert store.events(campaign=campaign)[0].detail["targets"] == [
        {"care": [3, "a"], "research": [2, "b"]},
        {"care": [3, "a"], "services": [4, "b"]},
    ]
    with pytest.raises(StoreError) as caught:
        store.edit_campaign(campaign, by_axis={"targets": {"care": Target(5, "a")}})
    assert codes(caught) == ["not-among"]
    with pytest.raises(TypeError):
        store.edit_campaign(campaign, by_axis={"anchor": {"care": "x"}})
    assert store.campaign(campaign) == now


def test_answers_changed_after_reopening_are_listed(store: Store) -> None:
    """Those that stood at the closing and say something else now, of the roles asked for, and no others."""
    campaign = new(store).id
    others = tuple(f"services.{one}" for one in ("proposals", "seats", "training", "taken-back"))
    for item in (ITEM, *others[:2]):
        said(store, campaign, "pilot", item=item)
    said(store, campaign, "pilot", item=others[3])
    said(store, campaign, "", item=others[3])
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
    said(store, campaign, "most", item=others[3])  # it had been taken back before the closing: no change
    said(store, campaign, "often", role="patient")
    listed = store.changed_after_reopening(campaign, ["quality", "direction"])
    assert [(one.item, one.before, one.after) for one in listed] == [
        (ITEM, "pilot", "most"),
        (others[1], "pilot", ""),
    ]


def test_every_closing_counts(store: Store) -> None:
    """A change is held against the closing before its own reopening, and a later closing takes no line away."""
    campaign = new(store).id
    said(store, campaign, "pilot", item="first")
    store.close_campaign(campaign)
    store.reopen_campaign(campaign, "raison")
    said(store, campaign, "most", item="first")
    said(store, campaign, "pilot", item="second")
    store.close_campaign(campaign)
    before = store.changed_after_reopening(campaign, ["quality"])
    store.reopen_campaign(campaign, "autre raison")
    said(store, campaign, "few", item="second")
    said(store, campaign, "pilot", item="first")  # as at the first closing, not as at the second
    listed = store.changed_after_reopening(campaign, ["quality"])
    assert [(one.item, one.before, one.after) for one in before] == [("first", "pilot", "most")]
    assert [(one.item, one.before, one.after) for one in listed] == [
        ("first", "pilot", "most"),
        ("second", "pilot", "few"),
        ("first", "most", "pilot"),
    ]
    assert listed[:1] == before


def test_a_change_that_gives_an_earlier_time_is_listed(store: Store) -> None:
    """What an import says of its time does not hide that it came after the reopening, nor a later time that it came before."""
    campaign = new(store).id
    later = datetime.now(UTC) + timedelta(days=1)
    store.save(Answer(campaign, "p", "quality", ITEM, "pilot", at=later))
    store.save(Answer(campaign, "p", "quality", "second", "pilot"))
    store.close_campaign(campaign)
    store.reopen_campaign(campaign, "raison")
    early = datetime(2020, 1, 1, tzinfo=UTC)
    store.save(Answer(campaign, "p", "quality", ITEM, "most", at=early))
    store.save(Answer(campaign, "p", "quality", "second", "", at=early))
    listed = store.changed_after_reopening(campaign, ["quality"])
    assert [(one.item, one.before, one.after, one.at) for one in listed] == [
        (ITEM, "pilot", "most", early),
        ("second", "pilot", "", early),
    ]


def test_a_closing_of_before_is_told_by_its_time(store: Store) -> None:
    """Where the closing's line says nothing of the last answer, an answer's own time says which side it is on."""
    campaign = new(store)
    said(store, campaign.id, "pilot")

    def close(connection: sa.Connection) -> None:
        note(connection, "", "closed", institution=campaign.institution, campaign=campaign.id)

    store.write(close)
    said(store, campaign.id, "most")
    [found] = store.changed_after_reopening(campaign.id, ["quality"])
    assert (found.before, found.after) == ("pilot", "most")


def test_who_brings_answers_in_is_told(store: Store) -> None:
    """An import leaves a line in each campaign, with how many answers and by whom; an answer given on a page leaves none."""
    first, second = new(store), new(store)
    said(store, first.id, "pilot")
    rows = [Answer(first.id, "a", "quality", item, "most") for item in (ITEM, "x")]
    store.save_many([*rows, Answer(second.id, "a", "quality", ITEM, "most")], imported_by="root")
    store.save_many([], imported_by="root")
    for campaign, count in ((first, 2), (second, 1)):
        latest, before, *_ = store.events(campaign=campaign.id)
        assert latest[1:] == ("root", campaign.institution, campaign.id, "imported", {"answers": count})
        assert before.what == "opened"
    with pytest.raises(StoreError):
        store.save_many([*rows, Answer(first.id, "", "quality", ITEM, "most")], imported_by="root")
    assert [one.what for one in store.events(campaign=first.id)] == ["imported", "opened", "created"]


def test_imported_assessments_are_told(store: Store) -> None:
    """The institution and the campaign of an imported row each have their lines, by whoever brought them in."""
    blank = dict.fromkeys(("kind", "country", "type", "scope", "form", "programme_start", "out_of_scope"), "")
    row = {**blank, "assessment": "x", "institution": "CHU", "campaign": "2026", "beds": None}
    store.add_assessments([{**row, "out_of_scope_reason": ""}], load_library()["hospital"], author="root")
    assert [(one.author, one.campaign, one.what) for one in store.events()] == [
        ("root", "x", "opened"),
        ("root", "x", "created"),
        ("root", "", "created"),
    ]


def test_a_role_taken_back_of_before_is_not_a_withdrawal(store: Store) -> None:
    """Lines of an institution from when both had one word are read with today's; a patient's withdrawal keeps its own."""
    campaign = new(store)
    for id_ in ("", campaign.id):
        store.write(
            lambda connection, id_=id_: note(
                connection, "anna", "withdrawn", institution=campaign.institution, campaign=id_
            )
        )
    told = store.events(institution=campaign.institution)[:2]
    assert [(one.campaign, one.what) for one in told] == [(campaign.id, "withdrawn"), ("", "grant_withdrawn")]


def test_history_is_append_only(store: Store) -> None:
    """The database itself refuses to change or drop a line of history."""
    new(store)
    for statement in ("UPDATE event SET author = 'x'", "DELETE FROM event"):
        with pytest.raises(StoreError):
            store.write(lambda connection, text=statement: connection.execute(sa.text(text)))
    assert [one.author for one in store.events()] == ["anna"] * 3


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
    for _ in range(2):
        store.remove_feedback(first.id, author="bea")
    assert store.feedback(campaign) == [second]
    told = [(one.author, one.what, one.detail) for one in store.events(campaign=campaign)]
    assert told[:3] == [
        ("bea", "feedback_removed", {"axis": "services", "state": "done"}),
        ("anna", "feedback_added", {"axis": "", "state": "doing"}),
        ("", "feedback_added", {"axis": "services", "state": "done"}),
    ]
    for wrong in ({"said": " "}, {"did": "x" * 5000}, {"state": "maybe"}):
        with pytest.raises(StoreError):
            store.add_feedback(campaign, **{"said": "a", "did": "b", **wrong})
    with pytest.raises(StoreError):
        store.add_feedback("nowhere", said="a", did="b")
    assert len(store.events(campaign=campaign)) == 5
