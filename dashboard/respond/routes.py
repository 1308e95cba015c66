"""The addresses of the respondents' pages, and what is done at each."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import inspect
import json
import logging
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from dashboard.respond import after, render
from dashboard.respond.form import OPEN_ANSWERS, TEXT_LIMIT, Form, Said
from dashboard.respond.guard import (
    WAIT_SECONDS,
    Limits,
    Refusal,
    body_of,
    must_be_ours,
)
from data import Answer, Invitations, StoreError
from matrix import load_matrix
from questionnaires import load_library
from reports import data_sheet, data_sheet_title

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from data import Campaign, Institution, Invitation, Respondent, Store
    from questionnaires import Item, Questionnaire

    Fields = Mapping[str, str]
    Work = Callable[["Pages", Request, Any], Response | Awaitable[Response]]

COOKIE_SECONDS = 24 * 3600
"""How long a device remembers the form open on it."""
PAGE_DIGITS = 3
"""Digits of a page's number; a longer one is no page of ours."""
FRESH_SECONDS = 5.0
"""How long what is known of a campaign, but for its state, may be used again."""
GZIP_FROM = 500
"""Bytes from which a page is worth packing."""
FOR_SCRIPT = ("/answer", "/answers")
"""How the addresses end that speak with the page's script, in JSON."""
LISTED = 8
"""Open questions shown at the end; more are a list to unfold."""
_log = logging.getLogger(__name__)


def routes(store: Callable[[], Store], address: str = "") -> list[Route]:
    """The routes of these pages.

    ``store`` gives the store they work on, opened at the first request; ``address`` is where people reach the
    server, without a slash at the end, and by default what their browser says.
    """
    pages = Pages(store, address)
    packed = [Middleware(GZipMiddleware, minimum_size=GZIP_FROM, compresslevel=6)]

    def route(path: str, get: Work | None, post: Work | None = None) -> Route:
        works = {"GET": get, "POST": post}
        methods = [method for method, work in works.items() if work]
        # What a page's script saves comes back in a few bytes, and often: nothing to pack.
        middleware = None if path.endswith("/answer") else packed
        return Route(path, _endpoint(pages, works), methods=methods, middleware=middleware)

    return [
        Route("/assets/{name}", render.asset),
        route("/s/{token}", Pages.shared, Pages.begin),
        route("/s/{token}/privacy", Pages.shared_privacy),
        route("/r/{token}", Pages.personal, Pages.start),
        route("/r/{token}/address", Pages.address),
        route("/r/{token}/answers", Pages.answers),
        route("/r/{token}/answer", None, Pages.answer),
        route("/r/{token}/finish", Pages.check, Pages.finish),
        route("/r/{token}/privacy", Pages.personal_privacy),
        route("/r/{token}/after", Pages.after),
        route("/r/{token}/{page}", Pages.questions, Pages.turn),
        route("/withdraw", Pages.withdraw, Pages.withdrawn),
        # Everything else below these addresses is a page of ours too, not one of the dashboard's.
        *(route(path, Pages.nowhere, Pages.nowhere) for path in ("/r/{rest:path}", "/s/{rest:path}")),
    ]


def _endpoint(pages: Pages, works: Mapping[str, Work | None]) -> Callable[[Request], Any]:
    """Read the request, do the work, in a thread if it waits, and turn whatever goes wrong into words."""

    async def endpoint(request: Request) -> Response:
        try:
            sent: Any = {}
            if request.method == "POST":
                must_be_ours(request)
                sent = _sent(request, await body_of(request))
            work = works["POST" if request.method == "POST" else "GET"]
            if inspect.iscoroutinefunction(work):
                return cast("Response", await work(pages, request, sent))
            return await run_in_threadpool(cast("Callable[..., Response]", work), pages, request, sent)
        except Refusal as refusal:
            return _refused(request, refusal)
        except ClientDisconnect:  # nobody is left to tell
            return Response(status_code=400)
        except StoreError as error:
            if any(problem.code == "store-not-open" for problem in error.problems):
                return _refused(request, Refusal(409, "r-closed"))
            _log.exception("The store failed a respondent.")
        except Exception:  # noqa: BLE001  # whatever is wrong, the person is told what to do
            _log.exception("A respondents' page failed.")
        return _refused(request, Refusal(503, "r-trouble"))

    return endpoint


def _number(request: Request) -> int | None:
    """The number of the page in an address, when it is one."""
    text = request.path_params["page"]
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= PAGE_DIGITS else None


def _sent(request: Request, body: bytes) -> Any:
    """What the script or a form sends; refused when it is neither."""
    try:
        if request.url.path.endswith(FOR_SCRIPT):
            return dict(json.loads(body))
        # Bytes that are no text become marks that say so.
        return dict(parse_qsl(body.decode("ascii", "replace"), keep_blank_values=True, max_num_fields=200))
    except (ValueError, TypeError, RecursionError) as error:
        raise Refusal(400, "r-bad") from error


def _refused(request: Request, refusal: Refusal) -> Response:
    lang = render.language(request)
    if request.url.path.endswith(FOR_SCRIPT):
        said = render.words()
        text = f"{said(refusal.word, lang)}. {said(f'{refusal.word}-why', lang)}"
        response = render.data({"error": refusal.word, "text": text}, refusal.status)
    elif refusal.word == "r-unknown":
        response = render.page(request, "unknown", lang, status=refusal.status)
    else:
        switch = "link" if request.method == "GET" else "none"
        response = render.page(
            request, "refused", lang, status=refusal.status, switch=switch, key=refusal.word
        )
    if refusal.status in {429, 503}:
        response.headers["Retry-After"] = str(WAIT_SECONDS if refusal.status == 429 else 10)  # noqa: PLR2004
    return response


@dataclass(frozen=True)
class Known:
    """A campaign with what stands around it, and its forms by lens."""

    campaign: Campaign
    institution: Institution
    until: float
    forms: dict[str, Form] = field(default_factory=dict)

    @property
    def questionnaire(self) -> Questionnaire:
        """What it is asked with; refused when that is not here to the letter."""
        id_, version = self.campaign.questionnaire, self.campaign.version
        found = load_library().get(id_)
        if found is None or (found.version, found.fingerprint) != (version, self.campaign.fingerprint):
            _log.error(
                "The questionnaire %s, version %s, is not here as the campaign opened with it.", id_, version
            )
            raise Refusal(503, "r-trouble")
        return found

    def form(self, role: str) -> Form:
        """What a role is asked."""
        lens = load_matrix().lens_of[role]
        if lens not in self.forms:
            self.forms[lens] = Form(self.campaign, self.questionnaire, lens)
        return self.forms[lens]

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages it is asked in."""
        ours = load_matrix().languages
        return tuple(one for one in ours if one in self.campaign.languages) or ours


@dataclass(frozen=True)
class Visit:
    """Somebody who came with a link of their own: who it is, what they are asked, in which language."""

    request: Request
    token: str
    who: Respondent
    known: Known
    lang: str

    @property
    def form(self) -> Form:
        """What they are asked."""
        return self.known.form(self.who.role)

    @property
    def address(self) -> str:
        """Their own address, without the host."""
        return f"/r/{self.token}"


class Pages:
    """What is done at each address; methods wait for the store, so they run in threads, but for those that say ``async``."""

    def __init__(self, store: Callable[[], Store], address: str = "") -> None:
        self._open = store
        self._address = address
        self._limits = Limits()
        self._known: dict[str, Known] = {}
        self._links: dict[str, tuple[str, str]] = {}
        """The campaign and the role of each link of one person that was followed; they never change."""

    @functools.cached_property
    def _store(self) -> Store:
        return self._open()

    @functools.cached_property
    def _invitations(self) -> Invitations:
        return Invitations(self._store)

    # A link for many

    def shared(self, request: Request, _: Fields) -> Response:
        """Say what is asked, of whom and by whom; lead back to the form that is open on this device."""
        invitation = self._shared(request)
        known = self._campaign(invitation.campaign, fresh=True)
        lang = render.language(request, known.languages)
        if known.campaign.state == "closed":
            return self._after(request, known, lang)
        if known.campaign.state == "draft":
            return self._draft(request, known, lang)
        if self._open_here(request, invitation):
            return render.page(request, "open", lang, languages=known.languages)
        return self._welcome(request, known, lang, invitation.role, invitation.kind)

    def begin(self, request: Request, sent: Fields) -> Response:
        """Begin a form of one's own, unless one is open on this device."""
        invitation = self._shared(request)
        known = self._campaign(invitation.campaign, fresh=True)
        name = _cookie(invitation.id)
        here = self._open_here(request, invitation)
        # A form left empty is nobody's yet: the next person answers on it, so that leaving makes no crowd.
        if here and not (sent.get("do") == "leave" and self._answered(here)):
            return render.onward(f"/r/{here}")
        if sent.get("do") == "leave":
            response = render.onward(request.url.path + _lang(sent, known))
            response.delete_cookie(name, path="/s", httponly=True, samesite="lax")
            return response
        if known.campaign.state != "open":
            return render.onward(request.url.path)
        self._limits.began(request, invitation.id)
        begun = self._invitations.begin(
            request.path_params["token"], _chosen(sent, known) or render.language(request, known.languages)
        )
        if begun is None:
            raise Refusal(404, "r-unknown")
        _, token = begun
        response = render.onward(f"/r/{token}/address")
        response.set_cookie(
            name,
            token,
            max_age=COOKIE_SECONDS,
            path="/s",
            secure=self._origin(request).startswith("https:"),
            httponly=True,
            samesite="lax",
        )
        return response

    def shared_privacy(self, request: Request, _: Fields) -> Response:
        """What becomes of the data, for who has not begun."""
        invitation = self._shared(request)
        known = self._campaign(invitation.campaign)
        lang = render.language(request, known.languages)
        return self._privacy(request, known, lang)

    # A link of one's own

    def personal(self, request: Request, _: Fields) -> Response:
        """Welcome, or lead to the first question without an answer."""
        visit = self._visit(request)
        if visit.who.state == "draft":
            return self._draft(request, visit.known, visit.lang)
        if visit.who.state == "closed":
            return render.onward(f"{visit.address}/after{_lang(request.query_params, visit.known)}")
        if visit.who.started is None:
            return self._welcome(request, visit.known, visit.lang, visit.who.role, "personal")
        if visit.who.submitted is not None:
            return self._page(visit, "submitted", campaign=visit.known.campaign)
        left = visit.form.open_items(self._saved(visit))
        return render.onward(
            f"{visit.address}/{visit.form.page_of[left[0]]}" if left else f"{visit.address}/finish"
        )

    def start(self, request: Request, sent: Fields) -> Response:
        """Begin on a link of one's own."""
        visit = self._visit(request)
        if visit.who.state == "open":
            lang = _chosen(sent, visit.known) or visit.lang
            self._invitations.start(visit.who.campaign, visit.who.code, lang)
        return render.onward(visit.address)

    def address(self, request: Request, _: Fields) -> Response:
        """Show the address to come back with."""
        visit = self._visit(request)
        return self._page(visit, "address", address=f"{self._origin(request)}{visit.address}")

    def questions(self, request: Request, _: Fields) -> Response:
        """A page of questions with the answers that stand."""
        number = _number(request)
        if number is None:
            return self.nowhere(request, {})
        visit = self._visit(request)
        if elsewhere := self._not_here(visit, number):
            return elsewhere
        return self._questions(visit, number, self._saved(visit))

    def turn(self, request: Request, sent: Fields) -> Response:
        """Keep what was changed on a page, then turn it; stay when something is missing."""
        number = _number(request)
        if number is None:
            return self.nowhere(request, {})
        visit = self._visit(request)
        if visit.who.state == "closed":
            raise Refusal(409, "r-closed")
        if elsewhere := self._not_here(visit, number):
            return elsewhere
        changes, faulty = self._read(visit, number, sent)
        self._store.save_many(changes)
        if chosen := _chosen(sent, visit.known):
            self._invitations.start(visit.who.campaign, visit.who.code, chosen)
            visit = self._visit(request)
        if faulty:
            return self._questions(visit, number, self._saved(visit), faulty)
        return render.onward(_next(visit, number, sent))

    def answers(self, request: Request, _: Fields) -> Response:
        """The answers that stand, for a page that was left open."""
        visit = self._visit(request)
        saved = self._saved(visit)
        facts = {id_: _fact(one) for id_, one in saved.items() if id_ in visit.form.page_of}
        return render.data(
            {"answers": facts, "now": datetime.now(UTC).isoformat(), **_progress(visit, saved)}
        )

    async def answer(self, request: Request, sent: Mapping[str, object]) -> Response:
        """Keep one answer, and say when it is kept and how far the person is.

        It is asked at every click, so it takes the writer's thread and no other one, unless it is long since this
        link was seen.
        """
        token = request.path_params["token"]
        campaign, role = self._links.get(token, ("", ""))
        known = self._known.get(campaign)
        if known is None or known.until < time.monotonic():
            visit = await run_in_threadpool(self._visit, request)
            known, role = visit.known, visit.who.role
        item = sent.get("item")
        try:
            said = Said.of(sent)
        except TypeError as error:
            raise Refusal(422, "r-bad") from error
        if not isinstance(item, str) or not known.form(role).takes(item, said):
            raise Refusal(422, "r-bad")
        if said.fault:
            visit = await run_in_threadpool(self._visit, request)
            text = render.words()(said.fault, visit.lang, limit=TEXT_LIMIT)
            return render.data({"error": said.fault, "text": text}, 422)
        kept = await asyncio.wrap_future(self._invitations.keep(token, known.campaign, item, said))
        if kept is None:
            raise self._nobody(request)
        if said != Said.kept(kept.answers.get(item)):
            raise Refusal(422, "r-bad") if kept.who.state == "open" else Refusal(409, "r-closed")
        lang = render.language(request, known.languages, kept.who.language)
        visit = Visit(request, token, kept.who, known, lang)
        return render.data({**_fact(kept.answers.get(item)), **_progress(visit, kept.answers)})

    def check(self, request: Request, _: Fields) -> Response:
        """Before the end: the questions that have no answer, and no obligation to give one."""
        visit = self._visit(request)
        if elsewhere := self._not_here(visit, 1):
            return elsewhere
        form = visit.form
        left = [
            (form.number_of[id_], f"{visit.address}/{form.page_of[id_]}#q-{id_}", self._asked(visit, id_))
            for id_ in form.open_items(self._saved(visit))
        ]
        return self._page(visit, "check", left=left, many=LISTED)

    def finish(self, request: Request, _: Fields) -> Response:
        """Note that this person has finished, and give them their receipt."""
        visit = self._visit(request)
        if visit.who.started is None or visit.who.state == "draft":
            return render.onward(visit.address)
        receipt = self._invitations.submit(visit.token)
        response = self._page(
            visit,
            "receipt",
            switch="none",
            receipt=receipt,
            campaign=visit.known.campaign,
            origin=self._origin(request),
            shared=visit.who.kind == "shared",
        )
        # Somebody else may now begin on this device.
        response.delete_cookie(_cookie(visit.who.invitation), path="/s", httponly=True, samesite="lax")
        return response

    def personal_privacy(self, request: Request, _: Fields) -> Response:
        """What becomes of the data."""
        visit = self._visit(request)
        return self._privacy(request, visit.known, visit.lang)

    def after(self, request: Request, _: Fields) -> Response:
        """What was said and what was done about it, once the campaign is closed."""
        visit = self._visit(request)
        if visit.who.state != "closed":
            return render.onward(visit.address)
        known = self._campaign(visit.who.campaign, fresh=True)
        return self._after(request, known, visit.lang, visit)

    # Withdrawal

    def withdraw(self, request: Request, _: Fields) -> Response:
        """Ask for the receipt."""
        return render.page(request, "withdraw", render.language(request), wrong=False, receipt="")

    def withdrawn(self, request: Request, sent: Fields) -> Response:
        """Show what a receipt would erase, and erase it once that is confirmed."""
        lang = _chosen(sent) or render.language(request)
        if sent.get("do") == "keep":
            return render.page(request, "kept", lang, switch="none")
        self._limits.guard(request, "receipt")
        receipt = sent.get("receipt", "")
        found = self._invitations.by_receipt(receipt)
        if found is None:
            self._limits.failed(request, "receipt")
            return render.page(
                request, "withdraw", lang, status=404, switch="none", wrong=True, receipt=receipt[:40]
            )
        if sent.get("do") == "erase":
            count = self._invitations.erase(receipt)
            response = render.page(request, "erased", lang, switch="none", count=count)
            response.delete_cookie(_cookie(found.invitation), path="/s", httponly=True, samesite="lax")
            return response
        known = self._campaign(found.campaign)
        return render.page(
            request,
            "confirm",
            lang,
            switch="none",
            receipt=receipt,
            title=known.campaign.title,
            institution=known.institution.name,
        )

    def nowhere(self, request: Request, _: Fields) -> Response:
        """An address of ours that leads nowhere, unless a slash too many is all that is wrong with it."""
        path = request.url.path.rstrip("/")
        if path != request.url.path and path.count("/") > 1:
            return render.onward(path)
        raise self._nobody(request)

    # Inside

    def _origin(self, request: Request) -> str:
        return self._address or f"{request.url.scheme}://{request.url.netloc}"

    def _shared(self, request: Request) -> Invitation:
        """The invitation of the address, or a refusal that does not say which of its causes it has."""
        found = self._invitations.open_shared(request.path_params["token"])
        if found is None:
            raise self._nobody(request)
        return found

    def _nobody(self, request: Request) -> Refusal:
        """What a link gets that opens nothing; it is counted."""
        self._limits.failed(request, "token")
        return Refusal(404, "r-unknown")

    def _visit(self, request: Request) -> Visit:
        """Who the address belongs to; the language they ask for is kept."""
        token = request.path_params["token"]
        who = self._invitations.open_personal(token)
        if who is None:
            raise self._nobody(request)
        self._links[token] = (who.campaign, who.role)
        known = self._campaign(who.campaign)
        lang = render.language(request, known.languages, who.language)
        if who.started and who.state == "open" and request.method == "GET" and lang != who.language:
            self._invitations.start(who.campaign, who.code, lang)
        return Visit(request, token, who, known, lang)

    def _campaign(self, campaign: str, *, fresh: bool = False) -> Known:
        """What is known of a campaign, read again when it is no longer fresh."""
        found, now = self._known.get(campaign), time.monotonic()
        if found is None or fresh or found.until < now:
            read = self._store.campaign(campaign)
            houses = {one.id: one for one in self._store.institutions()}
            forms = found.forms if found and found.campaign == read else {}
            found = Known(read, houses[read.institution], now + FRESH_SECONDS, forms)
            self._known[campaign] = found
        return found

    def _open_here(self, request: Request, invitation: Invitation) -> str:
        """The token of the form that is open on this device, if there is one."""
        token = request.cookies.get(_cookie(invitation.id), "")
        who = self._invitations.open_personal(token) if token else None
        return token if who and who.invitation == invitation.id and who.submitted is None else ""

    def _answered(self, token: str) -> bool:
        """Whether anything is said on the form of this link."""
        who = self._invitations.open_personal(token)
        return who is not None and bool(self._store.respondent(who.campaign, who.code, who.role))

    def _saved(self, visit: Visit) -> dict[str, Answer]:
        return self._store.respondent(visit.who.campaign, visit.who.code, visit.who.role)

    def _answer(self, visit: Visit, item: str, said: Said) -> Answer:
        who = visit.who
        return Answer(who.campaign, who.code, who.role, item, *said, channel=who.channel)

    def _read(self, visit: Visit, page: int, sent: Fields) -> tuple[list[Answer], dict[str, Said]]:
        """What was changed on a page since it was drawn: answers to keep, and what cannot be kept yet."""
        saved = self._saved(visit)
        changes: list[Answer] = []
        faulty: dict[str, Said] = {}
        for item in visit.form.items(page):
            said = _said_on(item.id, sent)
            kept = Said.kept(saved.get(item.id))
            if item.id == sent.get("clear"):
                said = Said()
            # Nothing chosen takes nothing back: another tab may have answered since.
            elif said == Said() or said.mark == sent.get(f"was-{item.id}"):
                continue
            if not visit.form.takes(item.id, said):
                raise Refusal(422, "r-bad")
            if said.fault:
                faulty[item.id] = said
            elif said != kept:
                changes.append(self._answer(visit, item.id, said))
        return changes, faulty

    def _not_here(self, visit: Visit, page: int) -> Response | None:
        """Where somebody belongs who cannot be on this page now."""
        if visit.who.state == "open" and visit.who.started and 1 <= page <= len(visit.form.pages):
            return None
        if visit.who.state == "open" and visit.who.started and not visit.form.pages:
            raise Refusal(404, "r-unasked")
        return render.onward(visit.address)

    def _asked(self, visit: Visit, item: str) -> str:
        ask = visit.form.questionnaire.item(item).asked_of(visit.form.lens)
        return ask.text[visit.lang] if ask else ""

    def _page(self, visit: Visit, name: str, *, status: int = 200, **facts: Any) -> Response:
        return render.page(
            visit.request,
            name,
            visit.lang,
            status=status,
            languages=visit.known.languages,
            **{"base": visit.address, "known": visit.known, **facts},
        )

    def _questions(
        self,
        visit: Visit,
        number: int,
        saved: Mapping[str, Answer],
        faulty: Mapping[str, Said] = MappingProxyType({}),
    ) -> Response:
        form = visit.form
        here = form.pages[number - 1]
        questions = [_question(visit, item, saved, faulty) for item in here.items]
        axes: dict[str, tuple[int, list[str]]] = {}
        for n, part in enumerate(form.pages, 1):
            axes.setdefault(part.axis, (n, []))[1].extend(item.id for item in part.items)
        return self._page(
            visit,
            "questions",
            status=422 if faulty else 200,
            switch="form",
            number=number,
            axis=here.axis,
            about=next(one.description[visit.lang] for one in load_matrix().axes if one.id == here.axis),
            part=here.part + 1,
            shares=sum(one.axis == here.axis for one in form.pages),
            pages=len(form.pages),
            following=form.pages[number] if number < len(form.pages) else None,
            questions=questions,
            faults=[one for one in questions if one["fault"]],
            axes=[(axis, n, sum(id_ in saved for id_ in ids), len(ids)) for axis, (n, ids) in axes.items()],
            progress=_progress(visit, saved),
            key=hashlib.sha256(f"queue {visit.token}".encode()).hexdigest()[:16],
        )

    def _welcome(self, request: Request, known: Known, lang: str, role: str, kind: str) -> Response:
        form = known.form(role)
        if not form.pages:
            raise Refusal(404, "r-unasked")
        progress = form.progress({})
        return render.page(
            request,
            "welcome",
            lang,
            languages=known.languages,
            known=known,
            role=role,
            kind=kind,
            lens=form.lens,
            n_min=load_matrix().thresholds.n_min,
            total=progress["total"],
            minutes=progress["minutes"],
        )

    def _privacy(self, request: Request, known: Known, lang: str) -> Response:
        return render.page(
            request,
            "privacy",
            lang,
            languages=known.languages,
            known=known,
            title=data_sheet_title(lang),
            sections=data_sheet(known.campaign, known.institution, lang, address=self._origin(request)),
            start=request.url.path.removesuffix("/privacy"),
        )

    def _draft(self, request: Request, known: Known, lang: str) -> Response:
        return render.page(request, "draft", lang, languages=known.languages, known=known)

    def _after(self, request: Request, known: Known, lang: str, visit: Visit | None = None) -> Response:
        campaign = known.campaign
        levels = after.levels(self._store, campaign, known.questionnaire)
        axes = {
            axis: render.words()("r-after-axis-out", lang, reason=campaign.out_of_scope[axis])
            if axis in campaign.out_of_scope
            else after.sentence(levels, axis, lang)
            for axis in load_matrix().ids("axes")
        }
        return render.page(
            request,
            "after",
            lang,
            languages=known.languages,
            known=known,
            people=[after.people(levels.people[lens], lens, lang) for lens in ("declared", "experienced")],
            patients=levels.people["experienced"],
            n_min=load_matrix().thresholds.n_min,
            axes=axes,
            ladder=", ".join(level.title[lang] for level in load_matrix().levels),
            feedback=self._store.feedback(campaign.id),
            # Who never came to the end has no receipt yet, and may withdraw all the same.
            finish=f"{visit.address}/finish" if visit and visit.who.started else "",
        )


def _question(
    visit: Visit, item: Item, saved: Mapping[str, Answer], faulty: Mapping[str, Said]
) -> dict[str, Any]:
    """What the template needs of one question; what was said and could not be kept is shown again."""
    form, lang = visit.form, visit.lang
    kept = Said.kept(saved.get(item.id))
    shown = faulty.get(item.id, kept)
    ask = item.asked_of(form.lens)
    anchors = ask.anchors if ask else {}
    options = [
        (one.id, one.text[lang], anchors[one.id][lang] if one.id in anchors else "")
        for one in form.questionnaire.options(item.id, form.lens)
    ]
    options += [(id_, render.words()(f"option-{id_}", lang), "") for id_ in OPEN_ANSWERS]
    fault = shown.fault if item.id in faulty else ""
    return {
        "id": item.id,
        "number": form.number_of[item.id],
        "text": ask.text[lang] if ask else "",
        "options": options,
        "said": shown,
        "saved": item.id in saved,
        "was": kept.mark,
        "fault": render.words()(fault, lang, limit=TEXT_LIMIT) if fault else "",
    }


def _said_on(item: str, sent: Fields) -> Said:
    names = {"answer": f"a-{item}", "reason": f"w-{item}", "comment": f"c-{item}"}
    return Said.of({name: sent.get(key, "") for name, key in names.items()})


def _fact(answer: Answer | None) -> dict[str, str]:
    """One answer for the page's script."""
    kept = Said.kept(answer)
    at = answer.at.isoformat() if answer and answer.at else datetime.now(UTC).isoformat()
    return {**kept._asdict(), "was": kept.mark, "at": at}


def _progress(visit: Visit, saved: Mapping[str, Answer]) -> dict[str, Any]:
    """How far the person is, in numbers and in words."""
    progress = visit.form.progress(saved)
    word = functools.partial(render.words(), lang=visit.lang)
    left = word("time-left", minutes=progress["minutes"]) if progress["minutes"] else word("all-done")
    text = word("r-done", done=progress["done"], total=progress["total"])
    return {"done": progress["done"], "total": progress["total"], "progress": f"{text} · {left}"}


def _next(visit: Visit, number: int, sent: Fields) -> str:
    """The page that a button leads to."""
    wish, last = sent.get("go", ""), len(visit.form.pages)
    if cleared := sent.get("clear"):
        return f"{visit.address}/{number}#q-{cleared}" if cleared in visit.form.page_of else visit.address
    if wish == "next":
        return f"{visit.address}/{number + 1}" if number < last else f"{visit.address}/finish"
    if wish == "previous":
        return f"{visit.address}/{max(1, number - 1)}"
    if wish.isascii() and wish.isdecimal() and 1 <= int(wish[:4]) <= last:
        return f"{visit.address}/{int(wish[:4])}"
    return f"{visit.address}/{number}"


def _chosen(sent: Fields, known: Known | None = None) -> str:
    """The language that was sent, when we speak it."""
    lang = sent.get("lang", "")
    return lang if lang in (known.languages if known else load_matrix().languages) else ""


def _lang(sent: Fields, known: Known) -> str:
    chosen = _chosen(sent, known)
    return f"?lang={chosen}" if chosen else ""


def _cookie(invitation: str) -> str:
    """The name under which a device remembers the form open on it for an invitation."""
    return f"form-{invitation}"


__all__ = ["routes"]
