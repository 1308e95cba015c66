"""The respondents' pages over HTTP: what is kept, what is refused and how, and what never gets out."""

from __future__ import annotations

import datetime as dt
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.testclient import TestClient

from dashboard import respond
from dashboard.respond.form import TEXT_LIMIT, Said
from dashboard.respond.guard import BODY_LIMIT, client
from data import Answer, Campaign, Invitations, Store
from matrix import load_document, load_matrix
from questionnaires import load_library

if TYPE_CHECKING:
    from httpx import Response

ROOT = Path(__file__).parent.parent
HOSPITAL = load_library()["hospital"]
EXPRESS = [item for item in HOSPITAL.form("express") if item.asked_of("experienced")]
FIRST, SECOND = (item.id for item in EXPRESS[:2])
BUDGET = 80 * 1024
LANGUAGES = load_matrix().languages
N_MIN = load_matrix().thresholds.n_min


class Place(NamedTuple):
    """A store with a campaign, its invitations, and a visitor."""

    store: Store
    invitations: Invitations
    campaign: Campaign
    visitor: TestClient

    def another(self, **headers: str) -> TestClient:
        """Another visitor of the same server."""
        return TestClient(self.visitor.app, headers={"accept-language": "fr-BE", **headers})

    def shared(self, role: str = "patient") -> str:
        """The path of a new shared link."""
        return f"/s/{self.invitations.shared(self.campaign.id, role).token}"

    def begun(self, visitor: TestClient | None = None, link: str = "") -> str:
        """The path of a form that was just begun on a shared link."""
        reply = (visitor or self.visitor).post(link or self.shared(), follow_redirects=False)
        assert reply.status_code == 303
        return str(reply.headers["location"]).removesuffix("/address")

    def kept(self, role: str = "patient") -> list[Answer]:
        """Everything ever said in the campaign by a role."""
        return [one for one in self.store.history(self.campaign.id) if one.role == role]

    def standing(self, role: str = "patient") -> dict[str, Answer]:
        """The standing answers of the only respondent of a role."""
        [code] = {one.respondent for one in self.kept(role)}
        return self.store.respondent(self.campaign.id, code, role)


@pytest.fixture
def place() -> Iterator[Place]:
    """An open express campaign."""
    with Store.open("sqlite://") as store:
        house = store.add_institution("Hôpital <A>", country="be")
        campaign = store.add_campaign(
            house.id,
            HOSPITAL,
            title="Partenariat 2026",
            year=2026,
            form="express",
            anchor="le service qualité",
        )
        visitor = TestClient(
            Starlette(routes=respond.routes(lambda: store)), headers={"accept-language": "fr-BE,fr;q=0.9"}
        )
        yield Place(store, Invitations(store), campaign, visitor)


def heading(reply: Response) -> str:
    """The heading of a page."""
    return (
        unescape(re.sub(r"<.*?>", "", re.findall(r"<h1>(.*?)</h1>", reply.text, re.DOTALL)[0]))
        .strip()
        .replace("\u2019", "'")
    )


def receipt_of(reply: Response) -> str:
    """The code on a receipt."""
    return str(re.search(r'id="receipt" value="([^"]+)"', reply.text)[1])  # type: ignore[index]


def choices(reply: Response) -> dict[str, str]:
    """The first option of each question of a page, by its field."""
    fields = re.findall(r'type="radio" name="([^"]+)" value="([^"]+)"', reply.text)
    return dict(reversed(fields))


def test_a_whole_form_is_filled_without_a_script(place: Place) -> None:
    """From a shared link to the receipt, by forms alone: every answer is kept, marked as coming by that link."""
    link = place.shared()
    welcome = place.visitor.get(link)
    assert "Hôpital <A>" in heading(welcome)
    for told in (
        "30, en 10 minutes",
        "Vous êtes libre",
        "On ne vous demande pas votre nom",
        f"{N_MIN} patients",
    ):
        assert told in welcome.text.replace("\u00a0", " ")
    address = place.visitor.post(link, data={"lang": "fr"})
    assert str(address.url).endswith("/address")
    form = str(address.url).removesuffix("/address")
    assert form in address.text
    page = place.visitor.get(form)
    for _ in range(20):
        if page.url.path.endswith("/finish"):
            break
        page = place.visitor.post(str(page.url), data={**choices(page), "go": "next"})
    assert "Vous avez répondu à toutes les questions" in page.text
    receipt = place.visitor.post(str(page.url))
    assert re.fullmatch(r"\w{4}-\w{4}-\w{4}-\w{4}", receipt_of(receipt))
    standing = place.standing()
    assert set(standing) == {item.id for item in EXPRESS}
    assert {one.channel for one in standing.values()} == {"shared_link"}
    assert {one.answer for one in standing.values()} == {
        HOSPITAL.options(item.id, "experienced")[0].id for item in EXPRESS
    }
    [standing_of_role] = place.invitations.standing(place.campaign.id)
    assert (standing_of_role.started, standing_of_role.submitted) == (1, 1)


def test_a_personal_link_informs_before_it_asks(place: Place) -> None:
    """No question is shown before the person has begun; their answers are marked as coming by their own link."""
    [issued] = place.invitations.personal(place.campaign.id, "quality", 1)
    form = f"/r/{issued.token}"
    assert place.visitor.get(f"{form}/1").url.path == form
    assert "quel code est le vôtre" in place.visitor.get(form).text
    refused = place.visitor.post(f"{form}/answer", json={"item": FIRST, "answer": "dk"})
    assert (refused.status_code, place.kept("quality")) == (422, [])
    page = place.visitor.post(form)
    assert page.url.path == f"{form}/1"
    place.visitor.post(f"{form}/1", data={**choices(page), "go": "next"})
    assert {one.channel for one in place.standing("quality").values()} == {"own_link"}


def test_a_form_resumes_at_the_first_question_without_an_answer(place: Place) -> None:
    """The address opens the first page with an open question, on any device; when none is open, the end."""
    form = place.begun()
    page = place.visitor.get(form)
    assert page.url.path == f"{form}/1"
    place.visitor.post(f"{form}/1", data=choices(page))
    elsewhere = place.another()
    assert elsewhere.get(form).url.path == f"{form}/2"
    for number in range(2, 6):
        elsewhere.post(f"{form}/{number}", data=choices(elsewhere.get(f"{form}/{number}")))
    assert elsewhere.get(form).url.path == f"{form}/finish"


def test_a_device_has_one_open_form(place: Place) -> None:
    """A device goes back to the form open on it; once it is left or finished, somebody else may begin."""
    link = place.shared()
    mine = place.begun(link=link)
    assert "déjà ouvert" in heading(place.visitor.get(link))
    assert place.visitor.post(link, data={"do": "resume"}).url.path == f"{mine}/1"
    assert len(place.invitations.respondents(place.campaign.id)) == 1
    place.visitor.post(f"{mine}/answer", json={"item": FIRST, "answer": "dk"})
    assert "vous demande" in heading(place.visitor.post(link, data={"do": "leave"}))
    second = place.begun(link=link)
    assert second != mine
    assert place.visitor.post(f"{second}/finish").status_code == 200
    assert place.begun(link=link) not in {mine, second}


def test_leaving_an_empty_form_makes_no_crowd(place: Place) -> None:
    """Who comes next on a device answers on the form that was left empty there, however often it is left."""
    link = place.shared()
    mine = place.begun(link=link)
    for _ in range(3):
        assert place.visitor.post(link, data={"do": "leave"}).url.path == f"{mine}/1"
    assert len(place.invitations.respondents(place.campaign.id)) == 1


def test_the_device_remembers_its_form_safely(place: Place) -> None:
    """The cookie is out of reach of scripts and other sites, lasts a day, and keeps to https where that is used."""
    link = place.shared()
    reply = place.visitor.post(link, follow_redirects=False)
    cookie = reply.headers["set-cookie"].lower()
    assert {"httponly", "samesite=lax", "path=/s", "max-age=86400"} <= {
        one.strip() for one in cookie.split(";")
    }
    assert "secure" not in cookie
    encrypted = TestClient(place.visitor.app, base_url="https://testserver")
    assert "secure" in encrypted.post(link, follow_redirects=False).headers["set-cookie"].lower()


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"a": "na"}, "Dites pourquoi"),
        ({"a": "na", "w": "  \r\n"}, "Dites pourquoi"),
        ({"c": "seul"}, "Choisissez une réponse"),
        ({"a": "dk", "c": "x" * (TEXT_LIMIT + 1)}, "trop long"),
        ({"a": "dk", "c": "a\0b"}, "caractère"),
    ],
)
def test_what_is_missing_is_told_and_nothing_else_is_lost(
    place: Place, fields: dict[str, str], told: str
) -> None:
    """A question that cannot be kept is shown again with what was written; the page's others are kept."""
    form = place.begun()
    sent = {f"{name}-{FIRST}": text for name, text in fields.items()}
    page = place.visitor.post(f"{form}/1", data={**sent, f"a-{SECOND}": "dk", "go": "next"})
    assert page.status_code == 422
    assert told in page.text
    assert f'href="#q-{FIRST}"' in page.text
    assert set(place.standing()) == {SECOND}
    if fields.get("c"):
        assert unescape(fields["c"])[:50] in page.text
    else:
        assert 'value="na" checked' in page.text


def test_texts_are_kept_as_they_were_written(place: Place) -> None:
    """Accents, signs, line ends and what looks like HTML come back whole, and harmless."""
    form, text = place.begun(), 'Ça <b>va</b> "bien" & 😀\nligne 2'
    place.visitor.post(
        f"{form}/1", data={f"a-{FIRST}": "na", f"w-{FIRST}": text, f"c-{FIRST}": text.replace("\n", "\r\n")}
    )
    kept = place.standing()[FIRST]
    assert (kept.reason, kept.comment) == (text, text)
    page = place.visitor.get(f"{form}/1")
    assert "<b>va" not in page.text
    assert text in unescape(page.text)


def test_an_older_page_takes_nothing_back(place: Place) -> None:
    """A tab that was opened before another one answered changes only what was changed in it."""
    form = place.begun()
    old = place.visitor.get(f"{form}/1")
    place.visitor.post(f"{form}/answer", json={"item": FIRST, "answer": "dk"})
    marks = dict(re.findall(r'name="(was-[^"]+)" value="([^"]+)"', old.text))
    place.visitor.post(f"{form}/1", data={**marks, f"a-{SECOND}": "dk"})
    assert {id_: one.answer for id_, one in place.standing().items()} == {FIRST: "dk", SECOND: "dk"}
    seen = place.visitor.get(f"{form}/1")
    marks = dict(re.findall(r'name="(was-[^"]+)" value="([^"]+)"', seen.text))
    option = HOSPITAL.options(FIRST, "experienced")[0].id
    place.visitor.post(f"{form}/answer", json={"item": FIRST, "answer": option})
    place.visitor.post(f"{form}/1", data={**marks, f"a-{FIRST}": "dk", f"a-{SECOND}": option})
    assert {id_: one.answer for id_, one in place.standing().items()} == {FIRST: option, SECOND: option}


def test_an_answer_can_be_cleared(place: Place) -> None:
    """The button takes an answer with its comment back; the rest of the page is kept on the way."""
    form = place.begun()
    place.visitor.post(f"{form}/answer", json={"item": FIRST, "answer": "dk", "comment": "x"})
    page = place.visitor.post(
        f"{form}/1", data={f"a-{FIRST}": "dk", f"c-{FIRST}": "x", f"a-{SECOND}": "dk", "clear": FIRST}
    )
    assert page.url.path == f"{form}/1"
    assert set(place.standing()) == {SECOND}


def test_buttons_lead_where_they_say(place: Place) -> None:
    """Next, previous, an axis and a language keep the page's answers and lead on; nonsense stays."""
    form = place.begun()
    for wish, where in (("next", 3), ("previous", 1), ("4", 4), ("9", 2), ("-1", 2), ("²", 2), ("", 2)):
        assert place.visitor.post(f"{form}/2", data={"go": wish}).url.path == f"{form}/{where}"
    item = next(one.id for one in EXPRESS if one.axis == "services")
    page = place.visitor.post(f"{form}/2", data={"lang": "nl", f"a-{item}": "dk"})
    assert '<html lang="nl">' in page.text
    assert set(place.standing()) == {item}
    assert '<html lang="nl">' in place.another().get(form).text
    assert place.visitor.get(f"{form}/99").url.path == f"{form}/1"


def test_one_answer_is_kept_and_told(place: Place) -> None:
    """The script hears when an answer is kept and how far the person is; the same answer again is no new one."""
    form = place.begun()
    sent = {"item": FIRST, "answer": "na", "reason": " pas moi ", "comment": "é"}
    first = place.visitor.post(f"{form}/answer", json=sent).json()
    assert (first["answer"], first["reason"], first["done"], first["total"]) == ("na", "pas moi", 1, 30)
    assert dt.datetime.fromisoformat(first["at"]) == place.kept()[0].at
    assert place.visitor.post(f"{form}/answer", json=sent).json() == first
    assert len(place.kept()) == 1
    state = place.visitor.get(f"{form}/answers").json()
    assert state["answers"][FIRST] == {
        name: first[name] for name in ("answer", "reason", "comment", "was", "at")
    }
    gone = place.visitor.post(f"{form}/answer", json={"item": FIRST, "answer": ""}).json()
    assert (gone["answer"], gone["done"], gone["was"]) == ("", 0, Said().mark)
    assert place.standing() == {}


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"item": "care.nothing", "answer": "dk"}, 422),
        ({"item": FIRST, "answer": "everywhere"}, 422),  # the institution's option
        ({"item": FIRST, "answer": "na"}, 422),
        ({"item": FIRST, "answer": 3}, 422),
        ({"item": [FIRST], "answer": "dk"}, 422),
        ({"answer": "dk"}, 422),
        ({"item": FIRST, "answer": "dk", "comment": "x" * 1001}, 422),
        ({"item": FIRST, "answer": "dk", "comment": "\ud800"}, 422),
        ({"item": FIRST, "answer": "dk", "comment": "x" * BODY_LIMIT}, 413),
        ([], 422),
        ("dk", 400),
    ],
)
def test_an_answer_that_does_not_belong_is_refused(place: Place, sent: object, status: int) -> None:
    """What the form does not ask, offer or take is refused with a sentence, and nothing is kept."""
    form = place.begun()
    reply = place.visitor.post(
        f"{form}/answer", content=json.dumps(sent), headers={"content-type": "application/json"}
    )
    assert reply.status_code == status
    assert len(reply.json()["text"]) > 20
    assert place.kept() == []


def test_a_broken_message_is_refused(place: Place) -> None:
    """Bytes that are no message get a sentence, not a failure."""
    form = place.begun()
    for body in (b"{", b"\xff\xfe", b"[" * 5000):
        reply = place.visitor.post(
            f"{form}/answer", content=body, headers={"content-type": "application/json"}
        )
        assert (reply.status_code, reply.json()["error"]) == (400, "r-bad")
    page = place.visitor.post(f"{form}/1", data={f"a-{FIRST}": "everywhere"})
    assert page.status_code == 422
    many = place.visitor.post(f"{form}/1", data={f"a-{n}": "dk" for n in range(300)})
    assert (many.status_code, heading(many)) == (400, "Cette réponse ne va pas avec ces questions")
    assert place.visitor.post(f"{form}/1", json={f"a-{FIRST}": ["dk"]}).url.path == f"{form}/1"
    assert place.kept() == []


def test_an_axis_out_of_scope_is_not_asked(place: Place) -> None:
    """Questions of an axis that is left out are neither shown nor taken."""
    place.store.edit_campaign(place.campaign.id, out_of_scope={"care": "pas de soins ici"})
    form = place.begun()
    assert f'name="a-{FIRST}"' not in place.visitor.get(f"{form}/1").text
    assert place.visitor.post(f"{form}/answer", json={"item": FIRST, "answer": "dk"}).status_code == 422


def test_a_link_that_opens_nothing_does_not_say_why(place: Place) -> None:
    """Unknown, revoked, renewed, expired and withdrawn links get the same page, which says what to do."""
    [revoked, renewed] = place.invitations.personal(place.campaign.id, "patient", 2)
    place.invitations.revoke(revoked.invitation.id)
    place.invitations.renew(renewed.invitation.id)
    form = place.begun()
    place.invitations.erase(receipt_of(place.visitor.post(f"{form}/finish")))
    shared = place.invitations.shared(place.campaign.id, "patient")
    place.invitations.revoke(shared.invitation.id)
    paths = [
        f"/r/{revoked.token}",
        f"/r/{renewed.token}",
        form,
        f"/s/{shared.token}",
        "/r/é",
        "/s/x",
        "/r/x/1/2",
    ]
    replies = [place.visitor.get(path) for path in paths]
    assert {reply.status_code for reply in replies} == {404}
    assert len({reply.text.replace(reply.url.path, "") for reply in replies}) == 1
    assert "demandez un nouveau lien" in replies[0].text
    lost = place.visitor.post(f"{form}/answer", json={"item": FIRST, "answer": "dk"})
    assert (lost.status_code, lost.json()["error"]) == (404, "r-unknown")


def test_a_slash_too_many_is_forgiven(place: Place) -> None:
    """A link that was copied with a slash at its end opens."""
    link = place.shared()
    assert place.visitor.get(f"{link}/").url.path == link
    form = place.begun(link=link)
    assert place.visitor.get(f"{form}/").url.path == f"{form}/1"
    assert place.visitor.get("/r/").status_code == 404


def test_a_draft_is_not_open_yet(place: Place) -> None:
    """Links of a campaign that is being prepared say so, and begin nothing."""
    draft = place.store.add_campaign(
        place.campaign.institution, HOSPITAL, title="Demain", year=2027, form="express", state="draft"
    )
    link = f"/s/{place.invitations.shared(draft.id, 'patient').token}"
    own = f"/r/{place.invitations.personal(draft.id, 'patient', 1)[0].token}"
    for path in (link, own):
        assert "pas encore ouvert" in heading(place.visitor.get(path))
        assert "pas encore ouvert" in heading(place.visitor.post(path))
    assert place.visitor.get(f"{own}/1").url.path == own
    assert place.visitor.post(f"{own}/finish").url.path == own
    assert all(one.started is None for one in place.invitations.respondents(draft.id))


def test_nothing_is_taken_after_the_closing(place: Place) -> None:
    """An answer that comes too late is refused with a sentence; both links then show what came of it."""
    link = place.shared()
    form = place.begun(link=link)
    place.store.close_campaign(place.campaign.id)
    late = place.visitor.post(f"{form}/answer", json={"item": FIRST, "answer": "dk"})
    assert (late.status_code, late.json()["error"]) == (409, "r-closed")
    assert place.visitor.post(f"{form}/1", data={f"a-{FIRST}": "dk"}).status_code == 409
    assert place.kept() == []
    assert place.visitor.get(form).url.path == f"{form}/after"
    for path in (form, link, f"{form}/1"):
        assert heading(place.visitor.get(path)) == "Vous avez dit, nous avons fait"
    assert place.another().post(link).url.path == link


def _answered(place: Place, role: str, people: int, option: int, axis: str = "") -> None:
    lens = load_matrix().lens_of[role]
    place.store.save_many(
        Answer(place.campaign.id, f"{role}-{n}", role, item.id, HOSPITAL.options(item.id, lens)[option].id)
        for n in range(people)
        for item in HOSPITAL.form("express")
        if item.asked_of(lens) and (not axis or item.axis == axis)
    )


def _after(place: Place, lang: str = "fr") -> str:
    link = place.shared()
    place.store.close_campaign(place.campaign.id)
    return (
        unescape(place.visitor.get(f"{link}?lang={lang}").text).replace("\u00a0", " ").replace("\u2019", "'")
    )


def test_both_sides_are_told_when_enough_patients_answered(place: Place) -> None:
    """After the closing each axis has a sentence with both sides' levels, then what is done about it."""
    _answered(place, "quality", 2, -1)
    _answered(place, "patient", N_MIN, 0)
    place.store.add_feedback(place.campaign.id, axis="care", said="<i>Dit</i>", did="Fait", state="done")
    text = _after(place)
    assert (
        "L'institution dit : Partenariat (niveau 4 sur 4). Les patients disent : aucun niveau complet."
        in text
    )
    assert "Pour l'institution : 2" in text
    assert f"Du côté des patients : {N_MIN}" in text
    assert "Soins directs · Fait" in text
    assert "n'a encore rien écrit" not in text


def test_few_patients_are_not_exposed(place: Place) -> None:
    """With fewer patients than the threshold neither their number nor their level is shown, and the page says why."""
    _answered(place, "quality", 1, -1)
    _answered(place, "patient", N_MIN - 1, 0)
    text = _after(place)
    assert "Les patients disent" not in text
    assert f"moins de {N_MIN} personnes ont répondu de leur côté" in text
    assert f"Du côté des patients : moins de {N_MIN} personnes" in text
    assert "n'a encore rien écrit" in text


def test_an_axis_that_few_patients_answered_shows_no_level_of_theirs(place: Place) -> None:
    """Enough patients overall do not expose the few who answered one axis."""
    _answered(place, "patient", N_MIN, 0, "care")
    _answered(place, "relative", N_MIN - 1, 0, "research")
    text = _after(place)
    by_axis = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", text))
    assert "Les patients disent : aucun niveau complet" in by_axis["Soins directs"]
    assert "Les patients disent : pas assez de réponses" in by_axis["Recherche"]


def test_a_level_that_few_patients_answered_keeps_back_the_axis(place: Place) -> None:
    """Enough patients on an axis do not expose the few among them who answered one of its questions."""
    _answered(place, "patient", N_MIN, 0)
    asked = [one for one in HOSPITAL.form("express") if one.asked_of("experienced")]
    first = next(one.id for one in asked if (one.axis, one.level) == ("care", "information"))
    place.store.save(Answer(place.campaign.id, "patient-0", "patient", first, "dk"))
    by_axis = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", _after(place)))
    assert "Les patients disent : pas assez de réponses" in by_axis["Soins directs"]
    assert "Les patients disent : aucun niveau complet" in by_axis["Recherche"]


def test_a_campaign_that_nobody_answered_says_so(place: Place) -> None:
    """Without any answer the page still stands, in each language."""
    text = _after(place, "en")
    assert "Nobody answered on the patients' side" in text
    assert text.count("too few answers to tell") == 5


def test_withdrawal_is_confirmed_then_complete(place: Place) -> None:
    """The receipt shows what it would erase; nothing goes before the confirmation, everything after it."""
    form = place.begun()
    place.visitor.post(f"{form}/answer", json={"item": FIRST, "answer": "na", "reason": "r", "comment": "c"})
    receipt = receipt_of(place.visitor.post(f"{form}/finish"))
    shown = place.visitor.post("/withdraw", data={"receipt": receipt.upper().replace("-", " ")})
    assert "Partenariat 2026" in shown.text
    assert place.visitor.post("/withdraw", data={"do": "keep"}).status_code == 200
    assert place.standing()[FIRST].comment == "c"
    done = place.visitor.post("/withdraw", data={"receipt": receipt, "do": "erase"})
    assert heading(done) == "Vos réponses sont effacées"
    assert [(one.answer, one.reason, one.comment) for one in place.kept()] == [("", "", "")]
    assert place.visitor.get(form).status_code == 404
    again = place.visitor.post("/withdraw", data={"receipt": receipt, "do": "erase"})
    assert (again.status_code, heading(again)) == (404, "Effacer mes réponses")


def test_the_receipt_can_be_seen_again(place: Place) -> None:
    """Who reloads the page of the receipt, or lost it, sees the same one; no other person's is like it."""
    form = place.begun()
    first = receipt_of(place.visitor.post(f"{form}/finish"))
    assert heading(place.visitor.get(form)) == "Vous avez terminé. Merci."
    assert receipt_of(place.visitor.post(f"{form}/finish")) == first
    other = place.begun(place.another())
    assert receipt_of(place.visitor.post(f"{other}/finish")) != first
    assert place.visitor.post("/withdraw", data={"receipt": first}).status_code == 200


def test_who_did_not_finish_can_withdraw_after_the_closing(place: Place) -> None:
    """After the closing the last page gives a receipt to who never came to the end, and does not call them finished."""
    form = place.begun()
    place.visitor.post(f"{form}/answer", json={"item": FIRST, "answer": "dk"})
    place.store.close_campaign(place.campaign.id)
    [action] = re.findall(r'<form method="post" action="([^"]+)"', place.visitor.get(form).text)
    page = place.visitor.post(action)
    assert "changer vos réponses" not in page.text.replace("\u2019", "'")
    assert [one.submitted for one in place.invitations.respondents(place.campaign.id)] == [None]
    place.visitor.post("/withdraw", data={"receipt": receipt_of(page), "do": "erase"})
    assert [one.answer for one in place.kept()] == [""]


def test_a_questionnaire_that_has_changed_is_not_asked(place: Place) -> None:
    """When the questionnaire is not to the letter the one the campaign opened with, nobody answers another text under its name."""
    changed: Any = SimpleNamespace(id=HOSPITAL.id, version=HOSPITAL.version, fingerprint="0" * 64)
    campaign = place.store.add_campaign(
        place.campaign.institution,
        changed,
        title="Autre texte",
        year=2026,
        form="express",
    )
    link = f"/s/{place.invitations.shared(campaign.id, 'patient').token}"
    assert place.visitor.get(link).status_code == 503


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": "http://testserver"},
        {"origin": "https://elsewhere.example"},
    ],
)
def test_another_site_changes_nothing(place: Place, headers: dict[str, str]) -> None:
    """A request that another site's page makes is refused at every address, and nothing changes."""
    form, link = place.begun(), place.shared()
    for path, data in (
        (f"{form}/1", {f"a-{FIRST}": "dk"}),
        (f"{form}/finish", {}),
        (link, {}),
        ("/withdraw", {}),
    ):
        reply = place.visitor.post(path, data=data, headers=headers)
        assert (reply.status_code, heading(reply)) == (403, "Cette demande ne vient pas de nos pages")
    reply = place.visitor.post(f"{form}/answer", json={"item": FIRST, "answer": "dk"}, headers=headers)
    assert (reply.status_code, reply.json()["error"]) == (403, "r-origin")
    assert place.kept() == []
    [respondent] = place.invitations.respondents(place.campaign.id)
    assert respondent.submitted is None


def test_our_own_pages_are_not_taken_for_another_site(place: Place) -> None:
    """Browsers with and without the header that says where a request comes from may answer."""
    form = place.begun()
    for headers in (
        {"sec-fetch-site": "same-origin"},
        {"origin": "http://testserver"},
        {"origin": "null"},
        {},
    ):
        sent = {"item": FIRST, "answer": "dk"}
        assert place.visitor.post(f"{form}/answer", json=sent, headers=headers).status_code == 200


def test_guessing_at_links_ends_but_right_links_open(place: Place) -> None:
    """After twenty failures an address hears that it must wait; who shares it with a right link is not locked out."""
    form = place.begun()
    replies = [place.visitor.get(f"/{kind}/guess-{n}").status_code for n in range(11) for kind in "rs"]
    assert replies == [404] * 20 + [429] * 2
    assert place.visitor.get("/r/guess").headers["retry-after"] == "600"
    assert place.visitor.get(form).status_code == 200
    assert place.visitor.post(f"{form}/answer", json={"item": FIRST, "answer": "dk"}).status_code == 200


def test_guessing_at_receipts_ends(place: Place) -> None:
    """After twenty wrong receipts an address must wait, even with a right one."""
    receipt = receipt_of(place.visitor.post(f"{place.begun()}/finish"))
    replies = [place.visitor.post("/withdraw", data={"receipt": f"x{n}"}).status_code for n in range(21)]
    assert replies == [404] * 20 + [429]
    assert place.visitor.post("/withdraw", data={"receipt": receipt, "do": "erase"}).status_code == 429
    assert place.invitations.by_receipt(receipt) is not None


def test_a_link_does_not_begin_forms_without_end(place: Place) -> None:
    """One address begins thirty forms on a link, then must wait; the limit is the link's own."""
    link = place.shared()
    replies = [place.another().post(link, follow_redirects=False).status_code for _ in range(31)]
    assert replies == [303] * 30 + [429]
    assert place.another().post(place.shared(), follow_redirects=False).status_code == 303


def _visited(place: Place) -> Iterator[Response]:
    """Every kind of page."""
    link = place.shared()
    yield place.visitor.get(link)
    yield place.visitor.get(f"{link}/privacy")
    form = place.begun(link=link)
    yield place.visitor.get(link)
    for path in ("/address", "/1", "/finish", "/privacy", "/answers"):
        yield place.visitor.get(form + path)
    yield place.visitor.post(f"{form}/1", data={f"a-{FIRST}": "na"})
    receipt = place.visitor.post(f"{form}/finish")
    yield receipt
    yield place.visitor.get(form)
    yield place.visitor.get("/withdraw")
    yield place.visitor.post("/withdraw", data={"receipt": "x"})
    yield place.visitor.post("/withdraw", data={"receipt": receipt_of(receipt)})
    yield place.visitor.post("/withdraw", data={"do": "keep"})
    yield place.visitor.get("/r/x")
    place.store.add_feedback(place.campaign.id, said="a", did="b")
    place.store.close_campaign(place.campaign.id)
    yield place.visitor.get(link)
    yield place.visitor.post(f"{form}/1")
    yield place.visitor.post("/withdraw", data={"receipt": receipt_of(receipt), "do": "erase"})


def test_every_page_is_closed_to_the_outside(place: Place) -> None:
    """Each answer runs no script or style but our files, leaks no address, is kept by nobody and indexed by nobody."""
    for reply in _visited(place):
        policy = dict(part.split(" ", 1) for part in reply.headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'", reply.url
        assert set(policy.values()) == {"'none'", "'self'"}
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["referrer-policy"] == "no-referrer"
        assert reply.headers["cache-control"] == "no-store"
        assert "noindex" in reply.headers["x-robots-tag"]
        assert not re.search(
            r"<style|style=|<script(?! type=\"module\" src=\"/assets/)|\son\w+=|javascript:", reply.text
        )
        assert not re.search(r"(?:src|action)=\"(?!/)", reply.text)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_page_speaks_the_visitors_language(place: Place, lang: str) -> None:
    """A browser's language is the page's, and no word is left unfilled."""
    place.visitor.headers["accept-language"] = f"{lang}-XX,{lang};q=0.9"
    for reply in _visited(place):
        if reply.headers["content-type"].startswith("text/html"):
            assert f'<html lang="{lang}">' in reply.text
            words = re.sub(r'data-(?:saved|refused)="[^"]*"', "", reply.text)
            assert not re.search(r"[{}]|\br-[a-z]+-", words), reply.url


def test_a_language_asked_for_is_kept(place: Place) -> None:
    """A language in the address goes before the browser's, is offered as a link, and stays with the person."""
    link = place.shared()
    page = place.visitor.get(f"{link}?lang=nl")
    assert '<html lang="nl">' in page.text
    assert f'href="{link}/privacy?lang=nl"' in page.text
    form = place.visitor.post(link, data={"lang": "nl"}).url.path.removesuffix("/address")
    assert '<html lang="nl">' in place.visitor.get(form).text
    assert 'href="/withdraw?lang=nl"' in place.visitor.get(f"{form}/finish").text
    assert '<html lang="en">' in place.visitor.get(f"{form}/1?lang=en").text
    assert '<html lang="en">' in place.another().get(form).text
    assert '<html lang="en">' in place.visitor.get(f"{form}/1?lang=de").text


def test_a_campaign_is_asked_in_its_own_languages(place: Place) -> None:
    """Only the languages of the campaign are offered, whatever the browser or the address asks."""
    place.store.edit_campaign(place.campaign.id, languages=("nl",))
    page = place.another(**{"accept-language": "fr"}).get(f"{place.shared()}?lang=fr")
    assert '<html lang="nl">' in page.text
    assert "hreflang" not in page.text
    place.store.edit_campaign(place.campaign.id, languages=("fr", "nl"))
    page = place.another(**{"accept-language": "en, nl;q=0.8"}).get(place.shared())
    assert '<html lang="nl">' in page.text


def test_files_last_and_come_packed(place: Place) -> None:
    """Style, script and icon have an address of their own bytes and may be kept for ever; other addresses do not exist."""
    page = place.visitor.get("/withdraw")
    addresses = re.findall(r'(?:href|src)="(/assets/[^"]+)"', page.text)
    assert len(addresses) == 3
    for address in addresses:
        packed, plain = (
            place.visitor.get(address, headers={"accept-encoding": how}) for how in ("gzip", "identity")
        )
        assert packed.content == plain.content
        assert packed.headers["content-encoding"] == "gzip"
        assert "immutable" in plain.headers["cache-control"]
    assert place.visitor.get("/assets/respond-0123456789abcdef.css").status_code == 404


def test_a_first_visit_is_light(place: Place) -> None:
    """The heaviest page, twelve questions with all their hints, weighs under 80 KB with all its files, packed."""
    full = place.store.add_campaign(place.campaign.institution, HOSPITAL, title="Tout", year=2026)
    [issued] = place.invitations.personal(full.id, "quality", 1)
    form = f"/r/{issued.token}"
    place.visitor.post(form)
    heaviest = 0
    for number in range(1, 20):
        page = place.visitor.get(f"{form}/{number}")
        if page.url.path != f"{form}/{number}":
            break
        assert page.headers["content-encoding"] == "gzip"
        heaviest = max(heaviest, int(page.headers["content-length"]))
    files = sum(
        int(place.visitor.get(address, headers={"accept-encoding": "gzip"}).headers["content-length"])
        for address in re.findall(r'(?:href|src)="(/assets/[^"]+)"', place.visitor.get("/withdraw").text)
    )
    assert 0 < heaviest + files < BUDGET, (heaviest, files)


def test_a_store_that_fails_is_told(place: Place) -> None:
    """When the store fails, pages and the script hear that nothing was kept and what to do."""
    form = place.begun()
    place.store.close()
    page = place.visitor.get(form)
    assert (page.status_code, heading(page)) == (503, "Cela n'a pas fonctionné")
    reply = place.visitor.post(f"{form}/answer", json={"item": FIRST, "answer": "dk"})
    assert (reply.status_code, reply.json()["error"]) == (503, "r-trouble")


def test_a_form_without_questions_says_so(place: Place) -> None:
    """When every axis is left out, the pages say that nothing is asked instead of going round in circles."""
    place.store.edit_campaign(
        place.campaign.id, out_of_scope=dict.fromkeys(load_matrix().ids("axes"), "pas ici")
    )
    link = place.shared()
    assert "aucune question" in heading(place.visitor.get(link))
    form = place.begun(link=link)
    assert "aucune question" in heading(place.visitor.get(form))


def test_privacy_tells_the_whole_sheet(place: Place) -> None:
    """The data-protection page is the printed sheet, with what stays on the device, before and after the beginning."""
    link = place.shared()
    form = place.begun(link=link)
    for start in (link, form):
        page = unescape(place.visitor.get(f"{start}/privacy").text)
        for told in ("le service qualité", "24", "/withdraw", "Sur votre appareil", "RGPD"):
            assert told in page
        assert f'href="{start}"' in page


def test_no_word_is_dead() -> None:
    """Every word of the respondents' catalogue is said by a template or the code."""
    folder = ROOT / "dashboard" / "respond"
    source = "\n".join(
        path.read_text(encoding="utf-8")
        for path in sorted([*folder.glob("*.py"), *folder.glob("templates/*")])
    )
    said = set(re.findall(r"[\"'](r-[\w-]+)[\"'{]", source))
    built = tuple(word for word in said if word.endswith("-"))
    keys = set(load_document(ROOT / "dashboard" / "words" / "respond.yaml").data)
    refusals = {f"{word}-why" for word in said}
    dead = {key for key in keys - said - refusals if not key.startswith(built)}
    assert not dead
    assert {word for word in said if not word.endswith("-")} <= keys


def test_the_pages_need_no_dashboard() -> None:
    """The respondents' pages load neither the dashboard's framework nor what only later pages need."""
    program = (
        "import sys, dashboard.respond\n"
        "print(*sorted({'streamlit', 'scoring', 'limits', 'alembic', 'polars', 'duckdb'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


@pytest.mark.parametrize("page", ["0", "99", "x", "-1", "1.5", "²", "9" * 5000])
def test_a_page_that_is_none_leads_nowhere_worse(place: Place, page: str) -> None:
    """A page number that cannot be is answered in words, however long it is."""
    answer = place.visitor.get(f"{place.begun()}/{page}", follow_redirects=True)
    assert answer.status_code in {200, 404}
    assert "<main" in answer.text


def test_visitors_of_both_families_are_counted_apart() -> None:
    """IPv4 visitors stay apart on a server that sees them inside IPv6; an IPv6 network counts as one."""
    seen = ["::ffff:203.0.113.7", "::ffff:203.0.113.8", "203.0.113.9", "2001:db8::1", "2001:db8::2"]
    asked = [client(Request({"type": "http", "client": (host, 1)})) for host in seen]
    assert len(set(asked)) == 4
    assert asked[3] == asked[4]
