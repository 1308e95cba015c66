"""The page that invites: links shown once, who answered, reminders without addresses, and what is refused."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import streamlit as st
import yaml
from browser import LANGUAGES, PHONE, ROOT, Server, Visitor, faults, ready, too_wide
from playwright.sync_api import Page
from streamlit.testing.v1 import AppTest
from test_pages import html, open_page, text_of

from dashboard import access, frame, inviting, server
from data import Answer, Campaign, Invitations, Issued, Store, StoreError, layout
from questionnaires import load_library

HOSPITAL = load_library()["hospital"]
REFUSALS = yaml.safe_load((ROOT / "data" / "refusals.yaml").read_text(encoding="utf-8"))
TODAY = dt.datetime.now(dt.UTC).date()


@pytest.fixture
def store(page_store: Store) -> Store:
    """An empty store that the pages use."""
    return page_store


@pytest.fixture
def own(store: Store) -> Campaign:
    """An open campaign nobody was invited to, which closes in a month."""
    return campaign_in(store)


@pytest.fixture
def links(store: Store) -> Invitations:
    """The invitations of that store."""
    return Invitations(store)


def campaign_in(store: Store, **settings: Any) -> Campaign:
    """A campaign of a new institution."""
    house = store.add_institution("Hôpital A <b>", country="be")
    made = store.add_campaign(house.id, HOSPITAL, title="2026", year=2026, form="express", **settings)
    return store.edit_campaign(made.id, anchor="Dominique", closes=TODAY + dt.timedelta(days=30))


def word(key: str, lang: str = "en", **values: object) -> str:
    """A word of the page."""
    return frame.words()(key, lang, **values)


def invite(campaign: Campaign, lang: str = "en") -> AppTest:
    """The page of a campaign."""
    return open_page("invite", lang=lang, campaign=campaign.id)


def make(test: AppTest, kind: str, **fields: Any) -> AppTest:
    """Fill in the form of new links and send it; the test tool's fields by their key."""
    test.radio(key=f"inv-kind|{test.session_state['lang']}").set_value(kind).run()
    if "label" in fields:
        test.text_input(key=f"inv-label-{kind}").input(fields["label"])
    if "count" in fields:
        test.number_input(key=f"inv-count-{kind}").set_value(fields["count"])
    if "until" in fields:
        test.date_input(key="inv-until").set_value(fields["until"])
    return test.button(key="inv-make").click().run()


def answer(store: Store, campaign: Campaign, code: str, role: str, n: int, which: int = 0) -> None:
    """The first ``n`` questions of a role, each answered with its option number ``which``."""
    lens = frame.lens_of(role)
    items = [item for item in HOSPITAL.form("express") if item.asked_of(lens)][:n]
    for item in items:
        option = HOSPITAL.options(item.id, lens)[which]
        store.save(Answer(campaign.id, code, role, item.id, option.id))


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.usefixtures("store")
def test_without_an_assessment_it_teaches(lang: str) -> None:
    """With nobody to invite, the page says what it is for and has one button."""
    test = open_page("invite", lang=lang)
    assert word("inv-empty-why", lang) in text_of(test)
    assert [one.key for one in test.button if not str(one.key).startswith(("language-", "again"))] == [
        "to-start"
    ]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_shared_link_is_shown_once(lang: str, own: Campaign, links: Invitations) -> None:
    """A shared link comes with its code, its sheets and a warning, opens, and is gone after a reload."""
    test = make(invite(own, lang), "shared", label="Cardiologie <b>", count=40)
    assert not test.exception
    [made] = links.every(own.id)
    assert (made.role, made.label, made.expected, made.expires) == (
        "patient",
        "Cardiologie <b>",
        40,
        own.closes,
    )
    [shown] = [one.value for one in test.code if "/s/" in one.value]
    opened = links.open_shared(shown.rsplit("/", 1)[1])
    assert opened is not None
    assert opened.id == made.id
    assert word("inv-once-why-shared", lang) in text_of(test)
    labels = [one.proto.label for one in test.get("download_button")]
    assert word("inv-sheet-all", lang) in labels
    for one in LANGUAGES:
        assert (
            labels.count(word("inv-pdf", lang, language=word("language-name", one))) == 2
        )  # poster, data sheet
    again = invite(own, lang)
    assert not any("/s/" in one.value for one in again.code)
    assert shown.rsplit("/", 1)[1] not in html(again)


def test_links_can_be_put_away(own: Campaign) -> None:
    """Once put away, a link is on the page no more."""
    test = make(invite(own), "shared")
    test.button(key="inv-put-away").click().run()
    assert not any("/s/" in one.value for one in test.code)
    assert not test.exception


@pytest.mark.parametrize("lang", LANGUAGES)
def test_personal_links_each_open_their_own_form(
    lang: str, own: Campaign, links: Invitations, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file of personal links holds a code, the role, a link that opens and the last day for each person."""
    written = _files(monkeypatch)
    test = make(invite(own, lang), "personal", count=15, label="=cmd()")
    assert not test.exception
    rows = _read(written[word("inv-csv-name", lang)])
    assert len(rows) == 15
    head = [word(key, lang) for key in ("inv-code", "inv-role", "inv-link", "inv-until")]
    assert list(rows[0]) == head
    for row in rows:
        found = links.open_personal(row[head[2]].rsplit("/r/", 1)[1])
        assert found is not None
        assert found.code == row[head[0]]
        assert row[head[3]]
    assert word("inv-csv-more", lang, n=15 - inviting.LISTED) in text_of(test)


def _files(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """The files a page writes for a spreadsheet, by the kind in their name."""
    written: dict[str, bytes] = {}
    offered = st.download_button

    def keep(label: str, data: Any, **looks: Any) -> bool:
        if looks["file_name"].endswith(".csv"):
            kind = re.sub(r"^\d+-\d+-\d+-", "", looks["file_name"].removesuffix(".csv")).split("-")[0]
            written[kind] = data
        return bool(offered(label, data, **looks))

    monkeypatch.setattr(st, "download_button", keep)
    return written


def _read(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig")), delimiter=";"))


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(
    ("kind", "fields", "code"),
    [
        ("personal", {"count": 0}, "invitation-count"),
        ("personal", {"count": -3}, "invitation-count"),
        ("personal", {"count": 501}, "invitation-count"),
        ("personal", {"until": TODAY - dt.timedelta(days=1)}, "invitation-past"),
        ("shared", {"count": 100_001}, "invitation-expected"),
        ("shared", {"count": 0}, "invitation-expected"),
        ("shared", {"count": -5}, "invitation-expected"),
        ("shared", {"until": TODAY - dt.timedelta(days=400)}, "invitation-past"),
    ],
)
def test_what_cannot_be_is_refused_in_words(
    kind: str, fields: dict[str, Any], code: str, lang: str, own: Campaign, links: Invitations
) -> None:
    """A count or a date that cannot be makes no link; the page stays whole and says why in its language."""
    test = make(invite(own, lang), kind, **fields)
    assert not test.exception
    assert not links.every(own.id)
    sentence = max(re.split(r"{\w+}", REFUSALS[code][lang]), key=len)
    assert [frame.plain(sentence) in one.value for one in test.error] == [True]
    for hidden in (
        frame.store().name,
        "expected",
        "expires",
    ):  # where the store lies, and what it calls things
        assert hidden not in test.error[0].value
    assert word("inv-privacy", lang) in text_of(test)


def test_links_in_sight_are_not_replaced(own: Campaign, links: Invitations) -> None:
    """While a link that cannot be shown again is in sight, no other takes its place; once it is put away one may."""
    test = make(invite(own), "shared", label="Hall")
    [shown] = [one.value for one in test.code if "/s/" in one.value]
    make(test, "personal", count=2)
    assert [one.value for one in test.error] == [frame.plain(word("inv-not-yet", done=word("inv-put-away")))]
    assert [one.value for one in test.code if "/s/" in one.value] == [shown]
    assert len(links.every(own.id)) == 1
    test.button(key="inv-renew").click().run()
    assert len(test.error) == 1
    assert "inv-yes" not in {one.key for one in test.button}
    test.button(key="inv-put-away").click().run()
    make(test, "personal", count=2)
    assert not test.error
    assert len(links.every(own.id)) == 3


def test_links_in_sight_of_one_campaign_outlast_those_of_another(own: Campaign, store: Store) -> None:
    """Making links for a second campaign leaves the first one's in sight when one comes back to it."""
    test = make(invite(own), "shared")
    [shown] = [one.value for one in test.code if "/s/" in one.value]
    other = store.add_campaign(own.institution, HOSPITAL, title="Other", year=2026)
    test.run()
    test.selectbox(key="campaign-choice").set_value(other.id).run()
    make(test, "shared")
    assert shown not in [one.value for one in test.code]
    assert not test.error
    test.selectbox(key="campaign-choice").set_value(own.id).run()
    assert shown in [one.value for one in test.code]


def test_each_kind_of_link_keeps_its_own_label(own: Campaign, links: Invitations) -> None:
    """What was written for a poster is not given to the personal links, and is there again on coming back."""
    test = invite(own)
    test.radio(key="inv-kind|en").set_value("shared").run()
    test.text_input(key="inv-label-shared").input("Waiting room").run()
    test.radio(key="inv-kind|en").set_value("personal").run()
    assert not test.text_input(key="inv-label-personal").value
    test.radio(key="inv-kind|en").set_value("shared").run()
    assert test.text_input(key="inv-label-shared").value == "Waiting room"
    make(test, "personal", count=1)
    assert [one.label for one in links.every(own.id)] == [""]


def test_label_with_markup_is_shown_inert(own: Campaign, links: Invitations) -> None:
    """HTML in a label is shown as it was written, and a label never becomes a formula in the file."""
    links.shared(own.id, "patient", label="<script>alert(1)</script>")
    body = html(invite(own))
    assert "<script>alert" not in body
    assert "&lt;script&gt;alert(1)" in body


def test_progress_says_rate_or_that_it_is_unknown(own: Campaign, links: Invitations) -> None:
    """Of 4 invited professionals one submitted: 25 %, and a warning; for a poster of unknown reach: a dash."""
    issued = links.personal(own.id, "professional", 4)
    links.start(own.id, issued[0].code, "fr")
    links.submit(issued[0].token)
    poster = links.shared(own.id, "patient")
    links.begin(poster.token, "fr")
    text = text_of(invite(own))
    [staff] = _rows(text, "Health professional or other staff")[:1]
    assert staff[:4] == ["4", "1", "1", "▽ 25%"]
    [patients] = _rows(text, "Patient")[:1]
    assert patients[:4] == [frame.NOTHING, "1", "0", frame.NOTHING]
    assert word("progress-low") in text
    assert word("progress-unknown") in text


def _rows(text: str, head: str) -> list[list[str]]:
    """The cells of table rows with this heading, in the page's order."""
    rows = re.findall(rf'<tr><th scope="row">{re.escape(head)}</th>(.*?)</tr>', text)
    return [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in rows]


def test_good_rate_needs_no_warning(own: Campaign, links: Invitations) -> None:
    """When half have submitted, nothing warns."""
    for one in links.personal(own.id, "patient", 2)[:1]:
        links.submit(one.token)
    text = text_of(invite(own))
    assert "50%" in text
    assert word("progress-low") not in text


def test_table_tells_states(own: Campaign, links: Invitations) -> None:
    """Links made together stand on one row that counts their states; an erased person's link is told apart."""
    first, second, _ = links.personal(own.id, "patient", 3, label="Ward 4")
    links.revoke(first.invitation.id)
    links.erase(links.submit(second.token))
    [row] = [cells for cells in _rows(text_of(invite(own)), "Patient") if "Ward 4" in cells]
    assert row[:2] == ["1", "Personal · 3"]
    states = row[5]
    for state in ("valid", "revoked", "withdrawn"):
        assert word(f"inv-states-{state}", n=1) in states


def test_links_that_look_alike_are_told_apart(own: Campaign, links: Invitations) -> None:
    """Two links of one role, place and day stand under different words, or the wrong one would be revoked."""
    for _ in range(2):
        links.shared(own.id, "patient", label="Hall")
    choices = invite(own).selectbox(key="inv-which|en").options
    assert len(choices) == 2
    assert len(set(choices)) == 2


def _pick(test: AppTest, id_: str) -> AppTest:
    return test.selectbox(key=f"inv-which|{test.session_state['lang']}").set_value(id_).run()


def test_revoking_asks_first(own: Campaign, links: Invitations) -> None:
    """A link opens until its revocation is confirmed, and not after."""
    issued = links.shared(own.id, "patient")
    test = invite(own)
    test.button(key="inv-revoke").click().run()
    assert word("inv-revoke-sure", n=1) in text_of(test)
    test.button(key="inv-no").click().run()
    assert links.open_shared(issued.token)
    test.button(key="inv-revoke").click().run()
    test.button(key="inv-yes").click().run()
    assert not test.exception
    assert links.open_shared(issued.token) is None
    assert word("inv-state-revoked") in text_of(test)
    assert not [one for one in test.button if one.key == "inv-revoke"]


def test_revoking_another_keeps_new_links_in_sight(own: Campaign, links: Invitations) -> None:
    """A link just made is still shown after another one was revoked."""
    old = links.shared(own.id, "relative")
    test = _pick(make(invite(own), "shared"), f"lot-{old.invitation.id}")
    test.button(key="inv-revoke").click().run()
    test.button(key="inv-yes").click().run()
    assert links.open_shared(old.token) is None
    assert any("/s/" in one.value for one in test.code)


@pytest.mark.parametrize("act", ["revoke", "renew"])
def test_link_somebody_revoked_meanwhile_stays_revoked(act: str, own: Campaign, links: Invitations) -> None:
    """Confirming on a link that was revoked since the page was drawn changes nothing and shows that it is revoked."""
    issued = links.shared(own.id, "patient")
    test = invite(own)
    test.button(key=f"inv-{act}").click().run()
    links.revoke(issued.invitation.id)
    before = links.every(own.id)
    test.button(key="inv-yes").click().run()
    assert not test.exception
    assert links.every(own.id) == before
    assert word("inv-state-revoked") in text_of(test)
    assert not any("/s/" in one.value for one in test.code)


def test_renewing_a_lot_shows_new_links(
    own: Campaign, links: Invitations, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lost file is mended by renewing the lot: same codes, new links, the old ones open nothing."""
    issued = links.personal(own.id, "patient", 3)
    written = _files(monkeypatch)
    test = invite(own)
    test.button(key="inv-renew").click().run()
    test.button(key="inv-yes").click().run()
    assert not test.exception
    rows = _read(written["links"])
    assert {row["Code"] for row in rows} == {one.code for one in issued}
    assert all(links.open_personal(one.token) is None for one in issued)
    assert all(links.open_personal(row["Link"].rsplit("/", 1)[1]) for row in rows)


def test_nobody_gets_a_new_link_to_answers_already_begun(
    own: Campaign, links: Invitations, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Renewing a lot leaves out who has begun, whose old link goes on; alone, that person's renewal is refused."""
    issued = links.personal(own.id, "patient", 3)
    links.start(own.id, issued[1].code, "fr")
    written = _files(monkeypatch)
    test = invite(own)
    test.button(key="inv-renew").click().run()
    test.button(key="inv-yes").click().run()
    assert not test.exception
    assert {row["Code"] for row in _read(written["links"])} == {issued[0].code, issued[2].code}
    assert links.open_personal(issued[1].token) is not None
    with pytest.raises(StoreError) as caught:
        links.renew(issued[1].invitation.id)
    assert [one.code for one in caught.value.problems] == ["invitation-begun"]


def test_one_person_of_a_lot_is_renewed_alone(own: Campaign, links: Invitations) -> None:
    """A single lost link is renewed without touching the others."""
    one, other = links.personal(own.id, "patient", 2)
    test = _pick(invite(own), one.invitation.id)
    test.button(key="inv-renew").click().run()
    test.button(key="inv-yes").click().run()
    assert not test.exception
    assert links.open_personal(one.token) is None
    assert links.open_personal(other.token)


def test_refusal_in_the_middle_loses_no_link(
    own: Campaign, links: Invitations, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the second of three renewals is refused, the first new link is shown, and so is the refusal."""
    issued = links.personal(own.id, "patient", 3)
    renew = Invitations.renew

    def once(self: Invitations, id_: str, *, author: str = "") -> Issued:
        if id_ != first:
            links.revoke(id_)
        return renew(self, id_, author=author)

    test = invite(own)
    first = inviting.Desk.of(own).lots[0].invitations[0].id
    test.button(key="inv-renew").click().run()
    monkeypatch.setattr(Invitations, "renew", once)
    test.button(key="inv-yes").click().run()
    assert not test.exception
    assert len(test.error) == 1
    assert word("inv-once") in text_of(test)
    assert sum(links.open_personal(one.token) is None for one in issued) == 2


@pytest.mark.parametrize("lang", LANGUAGES)
def test_reminders_hold_codes_and_no_address(
    lang: str, own: Campaign, store: Store, links: Invitations, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has not submitted is in the file with state and last activity; the message has no recipient and no link."""
    written = _files(monkeypatch)
    done, begun, waiting = links.personal(own.id, "patient", 3, label="=1+1", expires=TODAY)
    links.submit(done.token)
    links.start(own.id, begun.code, "fr")
    answer(store, own, begun.code, "patient", 2)
    test = invite(own, lang)
    rows = _read(written[word("inv-remind-name", lang)])
    state, last = word("inv-state", lang), word("inv-last", lang)
    found = {row[word("inv-code", lang)]: row for row in rows}
    assert set(found) == {begun.code, waiting.code}
    assert found[begun.code][state] == word("inv-person-started", lang)
    assert found[begun.code][last]
    assert found[waiting.code][state] == word("inv-person-waiting", lang)
    assert not found[waiting.code][last]
    assert found[waiting.code][word("inv-label", lang)] == "'=1+1"
    [address] = re.findall(r'href="(mailto:[^"]*)"', text_of(test))
    parts = urlsplit(address)
    assert parts.path == ""
    said = parse_qs(parts.query)
    assert "Hôpital A <b>" in said["subject"][0]
    assert "Dominique" in said["body"][0]
    assert "\r\n" in said["body"][0]
    assert "http" not in said["body"][0]


def test_message_speaks_the_language_chosen(own: Campaign, links: Invitations) -> None:
    """The coordinator works in English and writes to people in Dutch."""
    links.personal(own.id, "patient", 1)
    test = invite(own)
    test.radio(key="inv-remind-language|en").set_value("nl").run()
    assert (
        "Goedendag"
        in parse_qs(urlsplit(re.findall(r'href="(mailto:[^"]*)"', text_of(test))[0]).query)["body"][0]
    )


def test_nobody_left_to_remind(own: Campaign, links: Invitations) -> None:
    """When all have submitted, that is said and no file is offered."""
    [one] = links.personal(own.id, "patient", 1)
    links.submit(one.token)
    assert word("inv-remind-none") in text_of(invite(own))


def test_use_of_shared_links_is_counted(own: Campaign, store: Store, links: Invitations) -> None:
    """Forms begun, never answered and identical are counted for each shared link; nothing else is said of them."""
    poster = links.shared(own.id, "patient", label="Hall")
    begun = [links.begin(poster.token, "fr") for _ in range(6)]
    codes = [one[0].code for one in begun if one]
    for n, code in enumerate(codes[:3]):
        answer(store, own, code, "patient", 6, which=0 if n < 2 else 1)
    answer(store, own, codes[3], "patient", 2)
    answer(store, own, codes[4], "patient", 2)  # two short forms are alike by chance
    [row] = _rows(text_of(invite(own)), "Hall")
    assert row == ["6", "6", "1", "2"]


def test_few_patients_are_not_compared_with_each_other(
    own: Campaign, store: Store, links: Invitations
) -> None:
    """Whether forms are alike is told of staff, and of patients once five of them have answered on the link."""
    rows = []
    for role, label in (("patient", "Hall"), ("quality", "Office")):
        link = links.shared(own.id, role, label=label)
        for _ in range(4):
            begun = links.begin(link.token, "fr")
            assert begun is not None
            answer(store, own, begun[0].code, role, 5)
        rows += _rows(text_of(invite(own)), label)
    assert rows == [["4", "4", "0", word("sc-withheld")], ["4", "4", "0", "4"]]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_draft_prepares_and_closed_only_tells(lang: str, store: Store) -> None:
    """A draft makes links and says they wait; a closed campaign shows what was, and makes, mends or reminds nothing."""
    draft = campaign_in(store, state="draft")
    links = Invitations(store)
    test = make(invite(draft, lang), "personal", count=2)
    assert len(links.every(draft.id)) == 2
    assert word("inv-draft", lang) in text_of(test)
    store.open_campaign(draft.id)
    assert word("inv-remind", lang) in text_of(invite(draft, lang))
    store.close_campaign(draft.id)
    test = invite(draft, lang)
    assert word("inv-closed", lang) in text_of(test)
    assert not {"inv-make", "inv-renew", "inv-revoke"} & {str(one.key) for one in test.button}
    assert word("inv-remind", lang) not in text_of(test)
    assert word("inv-links", lang) in text_of(test)


def test_links_begin_with_the_servers_address(own: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    """On this computer alone the page warns; with an address of a server, links begin with it."""
    test = make(invite(own), "shared")
    assert word("inv-local") in text_of(test)
    monkeypatch.setattr(access, "address", lambda: "https://partnership.example")
    test = make(invite(own), "shared")
    assert word("inv-local") not in text_of(test)
    assert any(one.value.startswith("https://partnership.example/s/") for one in test.code)


def test_only_a_coordinator_invites(own: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who may only answer at the institution finds no campaign to invite to."""
    somebody = access.Person("a@b.example", "A", {own.institution: "contributor", "other": "coordinator"})
    monkeypatch.setattr(access, "visitor", lambda: access.Visitor(somebody))
    test = open_page("invite", lang="en", campaign=own.id)
    assert word("inv-empty-why") in text_of(test)
    assert not [one for one in test.button if one.key == "inv-make"]


def test_a_reading_invites_nobody(store: Store) -> None:
    """A text that was read has no respondents."""
    campaign_in(store, kind="reading")
    assert word("inv-empty-why") in text_of(open_page("invite", lang="en"))


# --- retention --------------------------------------------------------------------------------------------------


def past_its_time(store: Store) -> Campaign:
    """A campaign closed 25 months ago, that keeps for 24, with a comment."""
    campaign = campaign_in(store)
    item = HOSPITAL.form("express")[0]
    store.save(Answer(campaign.id, "p-1", "quality", item.id, "dk", comment="to be forgotten"))
    store.close_campaign(campaign.id)
    long_ago = dt.datetime.now(dt.UTC) - dt.timedelta(days=25 * 31)
    where = layout.campaign.c.id == campaign.id
    store.write(
        lambda connection: connection.execute(layout.campaign.update().where(where), {"closed": long_ago})
    )
    return campaign


def test_server_forgets_at_its_start(tmp_path: Path) -> None:
    """Comments kept past their time are erased when the server starts, without anybody asking."""
    served = Server(tmp_path)
    with Store.open(served.store) as store:
        campaign = past_its_time(store)
    with served, Store.open(served.store) as store:
        for _ in range(200):
            [kept] = store.history(campaign.id)
            if not kept.comment:
                break
            time.sleep(0.1)
    assert (kept.answer, kept.comment) == ("dk", "")


def test_retention_survives_a_busy_store(
    own: Campaign, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A look that fails is told to the log, and the next look comes all the same."""
    closing = threading.Event()
    looks = []

    def expire(_: Invitations, today: dt.date) -> list[str]:
        looks.append(today)
        if len(looks) > 1:
            closing.set()
        return store.campaign("no such campaign") and []

    monkeypatch.setattr(Invitations, "expire", expire)
    monkeypatch.setattr(server, "FORGET_EVERY", 0)
    server._forget(store, closing)
    assert looks == [TODAY, TODAY]
    assert len(caplog.records) == 2
    assert own.id in [one.id for one in store.campaigns()]


# --- in a real browser ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page of a campaign with some links."""
    served = Server(tmp_path_factory.mktemp("inviting"))
    with Store.open(served.store) as store:
        campaign = campaign_in(store)
        links = Invitations(store)
        links.personal(campaign.id, "professional", 3, label="Ward 4")
        poster = links.shared(campaign.id, "patient", label="Hall", expected=30)
        links.begin(poster.token, "fr")
    with served:
        yield f"{served.url}/invite?campaign={campaign.id}"


def _visit(page: Page, address: str, lang: str) -> None:
    page.goto(f"{address}&lang={lang}")
    page.wait_for_selector(".fr-h1")
    ready(page)


@pytest.mark.browser
def test_poster_is_one_click_away(address: str, visitor: Visitor) -> None:
    """A coordinator makes a shared link, downloads the posters as PDF, and a reload shows the link no more."""
    page = visitor()
    _visit(page, address, "fr")
    page.locator(".st-key-inv-make button").click()
    page.wait_for_selector(".st-key-inv-once")
    ready(page)
    link = page.locator(".st-key-inv-once code").inner_text()
    picture = page.locator(".st-key-inv-once img")
    assert link in (picture.get_attribute("alt") or "")
    assert picture.evaluate("e => e.naturalWidth") > 0
    for key in ("inv-sheet-fr", "inv-sheet-en-fr-nl", "inv-privacy-nl"):
        with page.expect_download() as waited:
            page.locator(f".st-key-{key} button").click()
        assert Path(waited.value.path()).read_bytes().startswith(b"%PDF-")
        assert waited.value.suggested_filename.endswith(".pdf")
    page.reload()
    page.wait_for_selector(".fr-h1")
    ready(page)
    assert link.rsplit("/", 1)[1] not in page.content()


@pytest.mark.browser
@pytest.mark.parametrize("kind", inviting.KINDS)
@pytest.mark.parametrize("lang", LANGUAGES)
def test_phone_never_scrolls_sideways(lang: str, kind: str, address: str, visitor: Visitor) -> None:
    """At 390 pixels nothing is wider than the screen, with links just made."""
    page = visitor(viewport=PHONE, locale=lang)
    _visit(page, address, lang)
    page.get_by_text(word(f"inv-kind-{kind}", lang)).click()
    ready(page)
    page.locator(".st-key-inv-make button").click()
    page.wait_for_selector(".st-key-inv-once")
    ready(page)
    assert not too_wide(page)


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessible(scheme: str, address: str, visitor: Visitor) -> None:
    """No violation of WCAG 2.2 AA that axe can see, with a link just made, in light and dark."""
    page = visitor(color_scheme=scheme)
    _visit(page, address, "fr")
    page.locator(".st-key-inv-make button").click()
    page.wait_for_selector(".st-key-inv-once")
    ready(page)
    assert not faults(page)
