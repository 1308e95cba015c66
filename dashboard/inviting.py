"""Inviting: links by role, shown once; who has started and who is to be reminded; the sheets that go with them."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass
from functools import cached_property, partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import streamlit as st

from dashboard import access, frame
from dashboard.home import who_answered
from dashboard.paging import minutes_for, pages_of
from data import Campaign, Invitation, Invitations, Issued, Respondent, StoreError
from data.invitations import COUNT_LIMIT, LABEL_LIMIT
from matrix import day
from reports import data_sheet_pdf, qr_svg, waiting_sheet

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa

    from questionnaires import Questionnaire

word = frame.word
LENSES = ("declared", "experienced")
KINDS = ("shared", "personal")
LISTED = 12
"""Personal links shown on the page at most; the file holds them all."""
ALIKE = 5
"""Answers two forms need before being the same word for word is worth a look."""
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
PATHS = {"personal": "r", "shared": "s"}
PDF = "application/pdf"


def page() -> None:
    """Draw the page."""
    st.html(f"<style>{Path(__file__).with_suffix('.css').read_text(encoding='utf-8')}</style>")
    may = access.person().may
    every = [one for one in frame.campaigns() if one.kind != "reading" and may("manage", one.institution)]
    campaign = frame.choose(every) if every else None
    if campaign is None:
        frame.empty("inv-empty", None)
        return
    house = frame.institutions()[campaign.institution]
    frame.heading(word("inv-title"))
    st.html(f'<p class="fr-small">{escape(f"{house.name} · {campaign.title}")}{frame.tag(campaign)}</p>')
    frame.paragraph(word("inv-lead"))
    questionnaire = frame.questionnaire_of(campaign)
    if questionnaire is None:
        return
    _situation(campaign)
    if refused := st.session_state.pop("inv-refused", ""):
        st.error(word("trouble", why=frame.plain(refused)))
    desk = Desk.of(campaign)
    _shown_once(desk, questionnaire)
    if desk.lots:
        who_answered(frame.store().progress(campaign.id), desk.invitations.standing(campaign.id))
    if campaign.state != "closed":
        _create(desk)
    if desk.lots:
        _links(desk)
        _signs(desk)
        if campaign.state == "open":
            _reminders(desk)
    _privacy(campaign)


@dataclass(frozen=True)
class Lot:
    """Invitations made together: one shared link, or personal ones of the same role, label and moment.

    ``number`` counts the lots of a campaign from 1, oldest first: it tells apart two that look alike.
    """

    number: int
    invitations: tuple[Invitation, ...]
    people: tuple[Respondent, ...]

    @property
    def first(self) -> Invitation:
        """What all of them have in common stands in any of them."""
        return self.invitations[0]

    def states(self, today: dt.date) -> dict[str, str]:
        """Each link's state by id: ``valid``, ``expired``, ``revoked``, or ``withdrawn`` with its person."""
        gone = {one.invitation for one in self.people if one.erased and self.first.kind == "personal"}
        return {one.id: "withdrawn" if one.id in gone else _state(one, today) for one in self.invitations}

    def live(self, today: dt.date) -> list[str]:
        """The ids of the links that open something."""
        return [id_ for id_, state in self.states(today).items() if state == "valid"]


@dataclass(frozen=True)
class Desk:
    """What is known of a campaign's invitations."""

    campaign: Campaign
    invitations: Invitations
    lots: tuple[Lot, ...]
    today: dt.date

    @classmethod
    def of(cls, campaign: Campaign) -> Desk:
        """Read it from the store; the latest lot comes first."""
        known = Invitations(frame.store())
        people: dict[str, list[Respondent]] = {}
        for person in known.respondents(campaign.id):
            people.setdefault(person.invitation, []).append(person)
        together: dict[object, list[Invitation]] = {}
        for one in known.every(campaign.id):
            key = one.id if one.kind == "shared" else (one.role, one.label, one.created, one.expires)
            together.setdefault(key, []).append(one)
        lots = (
            Lot(number, tuple(ones), tuple(person for one in ones for person in people.get(one.id, ())))
            for number, ones in enumerate(together.values(), 1)
        )
        return cls(campaign, known, tuple(lots)[::-1], dt.datetime.now(dt.UTC).date())

    @cached_property
    def begun(self) -> frozenset[str]:
        """The personal links that somebody has begun to answer on."""
        lots = [lot for lot in self.lots if lot.first.kind == "personal"]
        return frozenset(one.invitation for lot in lots for one in lot.people if one.started)

    def alone(self) -> list[tuple[Invitation, Respondent]]:
        """Each personal link that opens something, with its person; the latest lot comes first."""
        found = []
        for lot in self.lots:
            if lot.first.kind == "personal":
                live = set(lot.live(self.today))
                both = zip(lot.invitations, lot.people, strict=True)
                found += [(one, person) for one, person in both if one.id in live]
        return found

    @cached_property
    def forms(self) -> dict[str, dict[str, str]]:
        """What each respondent has answered: option by item."""
        found: dict[str, dict[str, str]] = {}
        columns = (self.answers[name].to_pylist() for name in ("respondent", "item", "answer"))
        for person, item, answer in zip(*columns, strict=True):
            found.setdefault(person, {})[item] = answer
        return found

    @cached_property
    def last(self) -> dict[str, dt.datetime]:
        """When each respondent last answered."""
        latest = self.answers.group_by("respondent").aggregate([("at", "max")])
        return dict(zip(latest["respondent"].to_pylist(), latest["at_max"].to_pylist(), strict=True))

    @cached_property
    def answers(self) -> pa.Table:
        """The standing answers of the campaign."""
        return frame.store().answers([self.campaign.id])


def _state(invitation: Invitation, today: dt.date) -> str:
    if invitation.revoked:
        return "revoked"
    return "expired" if invitation.expires and invitation.expires < today else "valid"


def _situation(campaign: Campaign) -> None:
    """What must be known before links are handed out."""
    frame.banner(campaign)
    if campaign.state != "open":
        frame.note(f"inv-{campaign.state}", "▲", "alert")
    if access.is_this_computer(urlsplit(access.address()).hostname or ""):
        frame.note("inv-local", "▲", "alert")
        with st.expander(word("inv-local-how"), key="inv-local"):
            frame.paragraph(word("inv-local-why"))
            st.code("POMEY_ADDRESS=https://… pomey serve --host 0.0.0.0", language=None, wrap_lines=True)


# --- making links -----------------------------------------------------------------------------------------------


def _create(desk: Desk) -> None:
    """The form of new links, for one role."""
    frame.heading(word("inv-new"), 2)
    with st.container(border=True, key="inv-new"):
        left, right = st.columns(2)
        with left:
            sides = {lens: word(f"side-{lens}") for lens in LENSES}
            lens = frame.pick(st.radio, word("side"), sides, "inv-side", "experienced", horizontal=True)
            lang = frame.language()
            roles = {one.id: one.title[lang] for one in frame.matrix().roles if one.lens == lens}
            role = frame.pick(st.selectbox, word("inv-role"), roles, f"inv-role-{lens}", "patient")
        with right:
            kinds = {kind: word(f"inv-kind-{kind}") for kind in KINDS}
            kind = frame.pick(st.radio, word("inv-kind"), kinds, "inv-kind")
        one, two, three = st.columns(3)
        label = one.text_input(
            word(f"inv-label-{kind}"),
            placeholder=word(f"inv-label-{kind}-hint"),
            key=f"inv-label-{kind}",
            max_chars=LABEL_LIMIT,
            persist_state="page",  # of each kind its own, while the other is looked at
        )
        # Neither field has bounds: the framework would put its own value in place of a wrong one, and say nothing.
        count = two.number_input(
            word(f"inv-count-{kind}"),
            value=10 if kind == "personal" else None,
            step=1,
            key=f"inv-count-{kind}",
            help=word(f"inv-count-{kind}-why", n=COUNT_LIMIT),
            persist_state="page",
        )
        closes = desk.campaign.closes
        expires = three.date_input(
            word("inv-until"),
            closes if closes and closes >= desk.today else None,
            format="DD/MM/YYYY",
            key="inv-until",
            help=word("inv-until-why"),
        )
        if not st.button(word(f"inv-make-{kind}"), type="primary", key="inv-make"):
            return
        if _in_sight(desk):
            _not_yet()
            return
        given: dict[str, Any] = {"label": label.strip(), "expires": expires, "author": access.author()}
        with frame.in_words():
            if kind == "shared":
                expected = None if count is None else int(count)
                issued = [desk.invitations.shared(desk.campaign.id, role, expected=expected, **given)]
            else:
                issued = desk.invitations.personal(desk.campaign.id, role, int(count or 0), **given)
            _hand_out(desk, issued)


def _in_sight(desk: Desk) -> list[Issued]:
    """The links of this campaign that were just made and not yet put away: nothing can show them again."""
    found: list[Issued] = st.session_state.get(f"inv-issued|{desk.campaign.id}", [])
    return found


def _not_yet() -> None:
    """Say that links which are still in sight must be put away before others take their place."""
    st.error(frame.plain(word("inv-not-yet", done=word("inv-put-away"))))


def _hand_out(desk: Desk, issued: Sequence[Issued]) -> None:
    """Keep new links for this visit only, and draw the page again with them on top."""
    if issued:  # else those made before stay in sight
        st.session_state[f"inv-issued|{desk.campaign.id}"] = list(issued)
    st.session_state.pop("inv-asked", None)
    st.rerun()


def _shown_once(desk: Desk, questionnaire: Questionnaire) -> None:
    """The links just made; nothing can show them again once they are put away."""
    issued = _in_sight(desk)
    if not issued:
        return
    first = issued[0].invitation
    with st.container(border=True, key="inv-once"):
        many = len(issued) > 1
        frame.heading(word("inv-once-many", n=len(issued)) if many else word("inv-once"), 2)
        key = "inv-once-why-personal" if first.kind == "personal" else "inv-once-why-shared"
        st.html(
            f'<p class="fr-note fr-alert"><span aria-hidden="true">▲</span><span>{escape(word(key))}</span></p>'
        )
        if first.kind == "personal":
            _personal_links(issued)
        else:
            _shared_link(desk, questionnaire, issued[0])
        if st.button(word("inv-put-away"), key="inv-put-away"):
            del st.session_state[f"inv-issued|{desk.campaign.id}"]
            st.rerun()


def _link(issued: Issued) -> str:
    return f"{access.address()}/{PATHS[issued.invitation.kind]}/{issued.token}"


def _personal_links(issued: Sequence[Issued]) -> None:
    """A file to keep and to merge into letters, and the first links."""
    first = issued[0].invitation
    role = _role(first.role)
    until = _until(first.expires)
    rows = [(one.code, role, _link(one), until) for one in issued]
    st.download_button(
        word("inv-csv"),
        _csv(("inv-code", "inv-role", "inv-link", "inv-until"), rows),
        file_name=f"{dt.datetime.now(dt.UTC):%Y-%m-%d}-{word('inv-csv-name')}-{first.role}.csv",
        mime="text/csv",
        key="inv-csv",
        type="primary",
        on_click="ignore",
    )
    body = "".join(
        f'<tr><th scope="row">{escape(code)}</th><td class="inv-address">{escape(link)}</td></tr>'
        for code, _, link, _ in rows[:LISTED]
    )
    heads = "".join(f'<th scope="col">{escape(word(key))}</th>' for key in ("inv-code", "inv-link"))
    st.html(f'<table class="fr-table"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>')
    if len(rows) > LISTED:
        frame.paragraph(word("inv-csv-more", n=len(rows) - LISTED), "small")


def _shared_link(desk: Desk, questionnaire: Questionnaire, issued: Issued) -> None:
    """The link, its QR code, and the sheets to hang up."""
    link = _link(issued)
    code = qr_svg(link)
    left, right = st.columns([1, 2], vertical_alignment="center")
    left.image(code, width=220, alt=word("inv-qr-alt", link=link))
    with right:
        st.code(link, language=None, wrap_lines=True)
        st.download_button(
            word("inv-qr"), code, file_name="qr.svg", mime="image/svg+xml", key="inv-qr", on_click="ignore"
        )
        lens = frame.matrix().lens_of.get(issued.invitation.role)
        if (
            lens is None
        ):  # a role that the matrix had once: its questions are gone, and so is what a sheet says
            return
        frame.paragraph(word("inv-sheets"))
        asked = pages_of(desk.campaign, questionnaire, lens)
        sheet = partial(
            waiting_sheet,
            desk.campaign,
            frame.institutions()[desk.campaign.institution],
            link,
            issued.invitation.role,
            minutes=minutes_for(sum(len(one.items) for one in asked)),
            expires=issued.invitation.expires,
        )
        spoken = _spoken(desk.campaign)
        sets = [(one,) for one in spoken] + ([spoken] if len(spoken) > 1 else [])
        with st.container(horizontal=True):
            for langs in sets:
                alone = len(langs) == 1
                name = "-".join(sorted(langs))
                st.download_button(
                    _pdf_in(langs[0]) if alone else word("inv-sheet-all"),
                    partial(sheet, langs=langs),
                    file_name=f"{word('inv-sheet-name')}-{name}.pdf",
                    mime=PDF,
                    key=f"inv-sheet-{name}",
                    on_click="ignore",
                )


def _spoken(campaign: Campaign) -> tuple[str, ...]:
    """The languages a campaign is asked in, in the matrix's order; all of them when none is said."""
    known: tuple[str, ...] = frame.matrix().languages
    return tuple(one for one in known if one in campaign.languages) or known


# --- what became of them ----------------------------------------------------------------------------------------


def _links(desk: Desk) -> None:
    """Every lot, and what can be done with one or with one person's link."""
    frame.heading(word("inv-links"), 2)
    lang, rows = frame.language(), []
    for lot in desk.lots:
        first = lot.first
        size = f" · {len(lot.invitations)}" if first.kind == "personal" else ""
        states = ", ".join(
            word(f"inv-state-{state}") if len(lot.invitations) == 1 else word(f"inv-states-{state}", n=n)
            for state, n in Counter(lot.states(desk.today).values()).items()
        )
        cells = {
            "inv-number": str(lot.number),
            "inv-kind": f"{word(f'inv-{first.kind}')}{size}",
            "inv-label": first.label or frame.NOTHING,
            "inv-created": day(first.created.date(), lang),
            "inv-until": _until(first.expires) or word("inv-no-end"),
            "inv-state": states,
            "inv-started": str(sum(bool(one.started) for one in lot.people)),
            "inv-submitted": str(sum(bool(one.submitted) for one in lot.people)),
        }
        counts = ("inv-started", "inv-submitted")
        rows.append(
            f'<tr><th scope="row">{escape(_role(first.role))}</th>'
            + "".join(
                f'<td{" class=fr-n" if key in counts else ""} data-name="{escape(word(key))}">{escape(text)}</td>'
                for key, text in cells.items()
            )
            + "</tr>"
        )
    st.html(_table(("inv-role", *cells), rows, numbers=2))
    if desk.campaign.state != "closed":
        _mend(desk)


def _mendable(desk: Desk) -> tuple[dict[str, str], dict[str, list[str]]]:
    """What can be renewed or revoked, a whole lot or one person's link: its name, and the links it stands for."""
    lang = frame.language()
    labels: dict[str, str] = {}
    targets: dict[str, list[str]] = {}
    for lot in desk.lots:
        first, live = lot.first, lot.live(desk.today)
        if live:
            number = f"{word('inv-number')} {lot.number}"
            named = (number, _role(first.role), word(f"inv-{first.kind}"), first.label)
            whole = word("inv-whole", n=len(live)) if len(live) > 1 else ""
            parts = (*named, day(first.created.date(), lang), whole)
            targets[f"lot-{first.id}"] = live
            labels[f"lot-{first.id}"] = " · ".join(part for part in parts if part)
    for one, person in desk.alone():
        targets[one.id] = [one.id]
        labels[one.id] = " · ".join(part for part in (person.code, _role(one.role), one.label) if part)
    return labels, targets


def _mend(desk: Desk) -> None:
    """Renew or revoke: a whole lot, or one person's link."""
    labels, targets = _mendable(desk)
    if not targets:
        return
    with st.container(border=True, key="inv-mend"):
        frame.paragraph(word("inv-mend-why"))
        chosen = frame.pick(st.selectbox, word("inv-which"), labels, "inv-which")
        with st.container(horizontal=True):
            for act in ("renew", "revoke"):
                if st.button(word(f"inv-{act}"), key=f"inv-{act}"):
                    st.session_state["inv-asked"] = (act, chosen)
        act, asked = st.session_state.get("inv-asked", ("", ""))
        if asked != chosen:
            return
        if act == "renew" and _in_sight(desk):
            del st.session_state["inv-asked"]
            _not_yet()
            return
        ids = targets[chosen]
        if (
            act == "renew"
        ):  # whoever has begun keeps their link; when nobody else is left, the refusal says why
            ids = [id_ for id_ in ids if id_ not in desk.begun] or ids
        n = len(ids)
        frame.note(f"inv-{act}-sure", "▲", "alert", n=n)
        with st.container(horizontal=True):
            if st.button(word("inv-no"), key="inv-no"):
                del st.session_state["inv-asked"]
                st.rerun()
            if st.button(word(f"inv-{act}-yes"), key="inv-yes", type="primary"):
                with frame.in_words():
                    _done(desk, act, ids)


def _done(desk: Desk, act: str, ids: Iterable[str]) -> None:
    """Do what was confirmed; what was renewed before a refusal is shown, and so is the refusal."""
    author = access.author()
    issued: list[Issued] = []
    try:
        for id_ in ids:
            if act == "revoke":
                desk.invitations.revoke(id_, author=author)
            else:
                issued.append(desk.invitations.renew(id_, author=author))
    except StoreError as error:
        st.session_state["inv-refused"] = frame.told(error)
    _hand_out(desk, issued)


def _signs(desk: Desk) -> None:
    """What a shared link shows of its use, so that somebody can look; nothing is deleted.

    Whether a few patients said the same is not told: whoever knows what one said would know what another did.
    """
    now, rows, n_min = dt.datetime.now(dt.UTC), [], frame.matrix().thresholds.n_min
    keys = ("inv-hour", "inv-day", "inv-never", "inv-alike")
    for lot in desk.lots:
        people = [one for one in lot.people if not one.erased]
        if lot.first.kind == "personal" or not people:
            continue
        same = Counter(
            tuple(sorted(form.items()))
            for one in people
            if len(form := desk.forms.get(one.code, {})) >= ALIKE
        )
        silent = sum(one.code not in desk.forms for one in people)
        few = frame.matrix().lens_of.get(lot.first.role) == "experienced" and 0 < len(people) - silent < n_min
        counts = (
            sum(one.created > now - HOUR for one in people),
            sum(one.created > now - DAY for one in people),
            silent,
            word("sc-withheld") if few else sum(n for n in same.values() if n > 1),
        )
        name = lot.first.label or _role(lot.first.role)
        cells = "".join(
            f'<td class="fr-n" data-name="{escape(word(key))}">{escape(str(n))}</td>'
            for key, n in zip(keys, counts, strict=True)
        )
        rows.append(f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>')
    if rows:
        frame.heading(word("inv-signs"), 2)
        frame.paragraph(word("inv-signs-why", n=ALIKE))
        st.html(_table(("inv-shared", *keys), rows, numbers=len(keys)))


def _reminders(desk: Desk) -> None:
    """Who has a personal link and has not submitted: a file by code, and a message without addresses."""
    invited = desk.alone()
    if not invited:
        return
    frame.heading(word("inv-remind"), 2)
    waiting = [(one, person) for one, person in invited if not person.submitted]
    if not waiting:
        frame.paragraph(word("inv-remind-none"))
        return
    lang = frame.language()
    frame.paragraph(word("inv-remind-why", n=len(waiting), of=len(invited)))
    rows = []
    for one, person in waiting:
        at = desk.last.get(person.code) or person.started
        state = word("inv-person-started" if at else "inv-person-waiting")
        moment = day(at.date(), lang) if at else ""
        rows.append((person.code, _role(one.role), one.label, state, moment, _until(one.expires)))
    spoken = {one: word("language-name", one) for one in _spoken(desk.campaign)}
    chosen = frame.pick(
        st.radio, word("inv-remind-language"), spoken, "inv-remind-language", lang, horizontal=True
    )
    facts = {
        "institution": frame.institutions()[desk.campaign.institution].name,
        "contact": desk.campaign.anchor or word("inv-remind-nobody", chosen),
    }
    subject, body = word("inv-mail-subject", chosen, **facts), word("inv-mail", chosen, **facts)
    address = f"mailto:?subject={quote(subject)}&body={quote(body.replace(chr(10), chr(13) + chr(10)))}"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            word("inv-remind-csv"),
            _csv(("inv-code", "inv-role", "inv-label", "inv-state", "inv-last", "inv-until"), rows),
            file_name=f"{desk.today}-{word('inv-remind-name')}.csv",
            mime="text/csv",
            key="inv-remind-csv",
            on_click="ignore",
        )
        st.html(
            f'<a class="inv-mail" href="{escape(address)}">{escape(word("inv-remind-mail"))}</a>',
            width="content",
        )
    frame.paragraph(word("inv-remind-bcc"), "small")


# --- data protection --------------------------------------------------------------------------------------------


def _privacy(campaign: Campaign) -> None:
    """The data-protection sheet, for the coordinator and the data protection officer."""
    frame.heading(word("inv-privacy"), 2)
    frame.paragraph(word("inv-privacy-why", months=campaign.retention_months))
    house = frame.institutions()[campaign.institution]
    today, address = dt.datetime.now(dt.UTC).date(), access.address()
    with st.container(horizontal=True):
        for lang in frame.matrix().languages:
            st.download_button(
                _pdf_in(lang),
                partial(data_sheet_pdf, campaign, house, lang, today, address=address),
                file_name=f"{word('inv-privacy-name', lang)}-{lang}.pdf",
                mime=PDF,
                key=f"inv-privacy-{lang}",
                on_click="ignore",
            )


# --- parts ------------------------------------------------------------------------------------------------------


def _pdf_in(lang: str) -> str:
    """A download's label: more than the language's name, which already switches the page."""
    return word("inv-pdf", language=word("language-name", lang))


def _role(id_: str) -> str:
    """The title of a role; one that the matrix had once goes by its id."""
    matrix = frame.matrix()
    return matrix.title("roles", id_, frame.language()) if id_ in matrix.lens_of else id_


def _until(expires: dt.date | None) -> str:
    return day(expires, frame.language()) if expires else ""


def _table(keys: Sequence[str], rows: Iterable[str], *, numbers: int) -> str:
    """A table with these heads, the last ``numbers`` of them over numbers, stacked on a phone."""
    first = len(keys) - numbers
    heads = "".join(
        f'<th scope="col"{" class=fr-n" if n >= first else ""}>{escape(word(key))}</th>'
        for n, key in enumerate(keys)
    )
    return f'<table class="fr-table fr-stack"><thead><tr>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table>'


def _csv(keys: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    """A table for a spreadsheet or a mail merge, with nothing in it that runs as a formula."""
    import pyarrow as pa  # noqa: PLC0415  # here: when there is something to write

    from data import to_csv  # noqa: PLC0415

    columns = zip(*rows, strict=True)
    return to_csv(pa.table({word(key): list(column) for key, column in zip(keys, columns, strict=True)}))


__all__ = ["page"]
