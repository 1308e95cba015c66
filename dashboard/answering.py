"""Answer: one axis at a time, every click saved before the page says so."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from html import escape

import streamlit as st

from dashboard import access, frame
from dashboard.attempts import Attempts
from dashboard.paging import Part, minutes_for, pages_of
from data import Answer, Campaign, Invitations, StoreError
from questionnaires import Item, Questionnaire

word = frame.word
OPEN_ANSWERS = ("dk", "na")
DONE = "done"
"""Stands for an axis when the person has come to the end."""
GUESSES = "20 per 10 minutes"
"""Codes under which nothing is opened, tried in one campaign by one signed-in person."""
_attempts = Attempts()


def page() -> None:
    """Draw the page."""
    may = access.person().may
    every = [one for one in frame.campaigns() if one.kind == "assessment" and may("answer", one.institution)]
    with st.container(key="answering"):
        if not every:
            frame.heading(word("answer-empty"))
            frame.paragraph(word("answer-empty-why"))
            if st.button(word("to-home"), type="primary", key="to-home"):
                frame.go("home")
            return
        campaign = frame.choose(every)
        questionnaire = frame.questionnaire_of(campaign) if campaign else None
        if campaign is None or questionnaire is None:
            return
        if campaign.state != "open":
            _waits(campaign)
            return
        role, respondent = frame.kept("role"), frame.kept("respondent")
        if role in frame.matrix().lens_of and respondent and _opened(campaign, role, respondent):
            _questions(campaign, questionnaire, role, respondent)
        else:
            _who(campaign, role)


def _waits(campaign: Campaign) -> None:
    """Say why no question is asked now, and offer the one next step."""
    frame.heading(word(f"answer-{campaign.state}"))
    frame.banner(campaign)
    frame.paragraph(word(f"answer-{campaign.state}-why"))
    if campaign.state == "closed":
        if st.button(word("to-results"), type="primary", key="to-results"):
            frame.go("results")
    elif "campaign" in st.session_state["pages"] and st.button(
        word("to-campaign"), type="primary", key="to-campaign"
    ):
        frame.go("campaign")


def _opened(campaign: Campaign, role: str, code: str) -> bool:
    """Whether the answers under the code in the address are opened; else the code is let go, and the page says why."""
    here = (access.author(), campaign.id, role, code)
    if st.session_state.get("opened") == here:
        return True
    why = _refusal(campaign, role, code, fresh=True)
    if why:
        st.session_state["code-refused"] = why
        frame.keep(respondent="", axis="", part="")
        return False
    st.session_state["opened"] = here
    return True


def _refusal(campaign: Campaign, role: str, code: str, *, fresh: bool) -> str:
    """Why the answers under a code are not opened here, in words; empty when they are.

    A code opens what was entered here in this role, and no more: whoever was invited answers on their own link, and
    what was imported is nobody's to change. ``fresh`` lets in a code that nobody answers under: somebody begins with
    it. Every code but a known one counts as a guess, since the page tells whether answers stand under it.
    """
    whose = ("code", access.author(), campaign.id)
    wait = _attempts.wait(GUESSES, *whose)
    if wait:
        return word("code-limited", minutes=wait)
    said = frame.store().history(campaign.id, respondent=code)
    invited = code in {one.code for one in Invitations(frame.store()).respondents(campaign.id)}
    if not invited and said and all((one.role, one.channel) == (role, _channel(role)) for one in said):
        return ""
    _attempts.count(GUESSES, *whose)
    return "" if fresh and not invited and not said else word("code-refused", code=code)


def _channel(role: str) -> str:
    """By which way the answers given on this page come, as it is kept with each."""
    return "own_link" if frame.lens_of(role) == "declared" else "staff_entered"


def _who(campaign: Campaign, wanted: str) -> None:
    """Ask who answers: a role and a code, new or noted before; whose codes there are is told to nobody."""
    lang, matrix = frame.language(), frame.matrix()
    frame.heading(word("who-title"))
    frame.banner(campaign)
    sides = {lens: word(f"who-{lens}") for lens in ("declared", "experienced")}
    lens = frame.pick(
        st.radio, word("side"), sides, "who-side", matrix.lens_of.get(wanted, "declared"), horizontal=True
    )
    roles = {one.id: one.title[lang] for one in matrix.roles if one.lens == lens}
    role = frame.pick(st.radio, word("role"), roles, f"who-role-{lens}", wanted)
    name = f"fresh-code|{campaign.id}"
    if name not in st.session_state:
        st.session_state[name] = Invitations(frame.store()).free_code(campaign.id)
    people = {"new": word("person-new", code=st.session_state[name]), "known": word("person-known")}
    known = frame.pick(st.radio, word("person"), people, "who-person") == "known"
    if known:
        written = st.text_input(word("code"), key="who-code", max_chars=40)
    else:
        frame.note("person-help", "✎")
    refused = st.empty()
    _who_sees(role)
    if st.button(word("resume" if known else "begin"), type="primary", key="begin"):
        code = "".join(written.split()).lower() if known else st.session_state.pop(name)
        why = (_refusal(campaign, role, code, fresh=False) if code else word("code-missing")) if known else ""
        if not why:
            st.session_state["opened"] = (access.author(), campaign.id, role, code)
            frame.keep(role=role, respondent=code, axis="", part="")
            st.rerun()
        st.session_state["code-refused"] = why
    why = st.session_state.pop("code-refused", "")
    if why:
        refused.error(frame.plain(why))


def _who_sees(role: str) -> None:
    if frame.lens_of(role) == "declared":
        frame.paragraph(word("who-sees-institution"), "small")
    else:
        frame.paragraph(word("who-sees-patients", n=frame.matrix().thresholds.n_min), "small")
        frame.paragraph(word("staff-entered"), "small")


def _questions(campaign: Campaign, questionnaire: Questionnaire, role: str, respondent: str) -> None:
    lang, lens = frame.language(), frame.lens_of(role)
    pages = pages_of(campaign, questionnaire, lens)
    if not pages:
        st.info(word("nothing-asked"))
        _other_person()
        return
    with st.container(horizontal=True, vertical_alignment="center", key="who"):
        frame.paragraph(
            word("answering-as", role=frame.matrix().title("roles", role, lang), code=respondent), "small"
        )
        st.button(word("change-person"), key="change", type="tertiary", on_click=_change_person)
    saved = st.session_state["saved"] = frame.store().respondent(campaign.id, respondent, role)
    st.session_state["drawn"] = []
    above = st.container(key="progress")
    place = _place(pages)
    if frame.kept("axis") == DONE:
        _finished(pages, saved)
    else:
        axis, part, items = pages[place]
        entry = next(one for one in frame.matrix().axes if one.id == axis)
        parts = sum(one == axis for one, _, _ in pages)
        suffix = f" · {word('part', n=part + 1, total=parts)}" if parts > 1 else ""
        st.html(
            f'<h1 class="fr-h1">{escape(entry.title[lang])}{escape(suffix)}</h1>'
            f'<p class="fr-axis-about">{escape(entry.description[lang])}</p>'
        )
        st.session_state["drawn"] = [item.id for item in items]
        for item in items:
            # A fragment of its own: a click draws one card and the progress, not the page.
            card = st.fragment(_card, key=f"card|{item.id}")
            card(campaign, questionnaire, item, role, respondent)
        if st.session_state.pop("outdated", False):
            st.rerun()
        _turn(pages, place)
        _who_sees(role)
    with above:
        st.fragment(_progress, key="progress")(pages, place)


def _place(pages: list[Part]) -> int:
    axis, part = frame.kept("axis"), frame.kept("part")
    for index, (one, number, _) in enumerate(pages):
        if one == axis and str(number) == (part or "0"):
            return index
    return 0


def _card(
    campaign: Campaign,
    questionnaire: Questionnaire,
    item: Item,
    role: str,
    respondent: str,
) -> None:
    """Draw one question and keep what was said on it."""
    lang, lens = frame.language(), frame.lens_of(role)
    stored = _stored(item)
    ask = item.asked_of(lens)
    if ask is None:  # the pages only hold items that are asked
        return
    options = questionnaire.options(item.id, lens)
    texts = {option.id: option.text[lang] for option in options}
    texts |= {"dk": word("option-dk"), "na": word("option-na")}
    base = _base(campaign, item, role, respondent)
    new = f"seen|{base}" not in st.session_state
    _follow(base, stored)
    here = (campaign, item, role, respondent)
    with st.container(border=True, key=f"card-{item.id.replace('.', '-')}"):
        choice = st.radio(
            frame.plain(ask.text[lang]),
            list(texts),
            index=list(texts).index(stored.answer) if stored and stored.answer in texts else None,
            format_func={id_: frame.plain(text) for id_, text in texts.items()}.__getitem__,
            captions=[frame.plain(ask.anchors[id_][lang]) if id_ in ask.anchors else "" for id_ in texts],
            key=_key(base),
            width="stretch",
            on_change=_changed,
            args=here,
        )
        why = choice == "na"
        written = st.text_input(
            word("reason" if why else "comment"),
            value=_written(stored, why=why),
            placeholder=word("reason" if why else "comment"),
            label_visibility="collapsed",
            key=_field(base, why=why),
            max_chars=1000,
            on_change=_changed,
            args=here,
        )
        asked = stored is None or stored.answer in texts  # else no choice stands for what is stored
        if new and asked and _outdated(campaign, item, choice, written or "", role, respondent):
            st.session_state["outdated"] = True
            return
        line, tone = _settle(campaign, item, choice, written or "", role, respondent)
        with st.container(
            horizontal=True, vertical_alignment="center", key=f"foot-{item.id.replace('.', '-')}"
        ):
            st.html(f'<p class="fr-foot fr-{tone}">{escape(line)}</p>')
            st.button(
                word("take-back"),
                key=f"clear|{base}",
                type="tertiary",
                on_click=_clear,
                args=here,
                disabled=choice is None,
            )


def _base(campaign: Campaign, item: Item, role: str, respondent: str) -> str:
    """What the names of a question's widgets share."""
    return f"{campaign.id}|{respondent}|{role}|{item.id}"


def _key(base: str) -> str:
    """The name of a question's radio: with the language, since the browser remembers a choice by its wording."""
    return f"answer|{base}|{st.session_state.get(f'turn|{base}', 0)}|{frame.language()}"


def _field(base: str, *, why: bool) -> str:
    """The name of a question's field: for the reason of `na`, or for a comment."""
    return f"{'reason' if why else 'comment'}|{base}"


def _stored(item: Item) -> Answer | None:
    """What the store held on a question when it was last asked."""
    saved: dict[str, Answer] = st.session_state["saved"]
    return saved.get(item.id)


def _changed(campaign: Campaign, item: Item, role: str, respondent: str) -> None:
    """Keep what was just clicked or written, then draw its card and the progress again, and nothing else.

    Here as well as after rendering: whoever turns the page at once leaves no card behind to be rendered.
    """
    base = _base(campaign, item, role, respondent)
    drawn: list[str] = st.session_state["drawn"]
    elsewhere: list[str] = []
    with suppress(StoreError):  # the card meets it again, and says so
        before: dict[str, Answer] = st.session_state["saved"]
        saved = st.session_state["saved"] = frame.store().respondent(campaign.id, respondent, role)
        elsewhere = [
            id_ for id_ in drawn if id_ != item.id and _said(before.get(id_)) != _said(saved.get(id_))
        ]
        _follow(base, _stored(item))
        choice = st.session_state.get(_key(base))
        why = choice == "na"
        written = st.session_state.get(_field(base, why=why), _written(_stored(item), why=why))
        _settle(campaign, item, choice, written or "", role, respondent)
    st.rerun([*(f"card|{id_}" for id_ in (item.id, *elsewhere)), "progress"])


def _said(stored: Answer | None) -> tuple[str, str, str]:
    """Answer, reason and comment, each empty when there is none."""
    return (stored.answer, stored.reason, stored.comment) if stored else ("", "", "")


def _follow(base: str, stored: Answer | None) -> None:
    """Take over what was changed elsewhere, part by part, unless this page has just changed that part too."""
    now = _said(stored)
    seen: tuple[str, str, str] = st.session_state.get(f"seen|{base}", now)
    names = (_key(base), _field(base, why=True), _field(base, why=False))
    for name, was, part in zip(names, seen, now, strict=True):
        if was != part and name in st.session_state and (st.session_state[name] or "").strip() == was:
            if name == names[0]:
                # Under a new name it is drawn as stored; a value set in a run that is broken off would never be seen.
                st.session_state[f"turn|{base}"] = st.session_state.get(f"turn|{base}", 0) + 1
            else:
                st.session_state[name] = part
            st.session_state[f"said|{base}"] = word("changed-elsewhere")
    st.session_state[f"seen|{base}"] = now


def _outdated(
    campaign: Campaign,
    item: Item,
    choice: str | None,
    written: str,
    role: str,
    respondent: str,
) -> bool:
    """Whether the browser shows what was said before and was changed since; then the next run follows.

    So it does when the server was started again: this session knows nothing, and a page left open shows what it last
    knew. What the store never held was just chosen or written there, and is to be saved.
    """
    stored, written = _stored(item), written.strip()
    now = _said(stored)
    shown = (choice or "", *((written, now[2]) if choice == "na" else (now[1], written)))
    if shown == now:
        return False
    history = frame.store().history(campaign.id, respondent=respondent, item=item.id)
    past = [("", "", ""), *(_said(one) for one in history if one.role == role)]
    seen = tuple(
        part if any(part == one[place] for one in past) else now[place] for place, part in enumerate(shown)
    )
    st.session_state[f"seen|{_base(campaign, item, role, respondent)}"] = seen
    return seen != now


def _settle(
    campaign: Campaign,
    item: Item,
    choice: str | None,
    written: str,
    role: str,
    respondent: str,
) -> tuple[str, str]:
    """Save the difference between what the page shows and what is stored.

    Called after rendering too, so that the first click in a new session counts. Returns the line to show and its
    tone.
    """
    base = _base(campaign, item, role, respondent)
    stored, written = _stored(item), written.strip()
    said = f"said|{base}"
    taken_back = choice is None and st.session_state.pop(f"cleared|{base}", False)
    wanted = _wanted(campaign, item, stored, choice, written, role, respondent)
    if choice is None and not taken_back and wanted:  # only the button takes an answer back
        return word("saved"), "ok"
    if choice is None and written:
        return word("comment-first"), "wait"
    if choice == "na" and not written:
        return word("reason-needed"), "wait"
    if wanted is None:
        return st.session_state.pop(said, "") or (word("saved") if stored else ""), "ok"
    if not access.person().may("answer", campaign.institution):  # any more, since the page was drawn
        st.rerun()
    try:
        kept = frame.store().save(wanted)
    except StoreError as error:
        return word("not-saved", why=frame.told(error)), "wait"
    if choice is None:
        st.session_state["saved"].pop(item.id, None)
    else:
        st.session_state["saved"][item.id] = kept
    st.session_state[f"seen|{base}"] = _said(None if choice is None else kept)
    at = kept.at or dt.datetime.now(tz=dt.UTC)
    line = word("taken-back") if choice is None else word("saved-at", time=_clock(at))
    st.session_state["announce"] = f"{line}|{item.id} {at.timestamp()}"
    st.session_state[said] = line
    return line, "ok"


def _wanted(
    campaign: Campaign,
    item: Item,
    stored: Answer | None,
    choice: str | None,
    written: str,
    role: str,
    respondent: str,
) -> Answer | None:
    """The answer to save, or none when the store already holds just that."""
    if choice is None and stored is None:
        return None
    reason = written if choice == "na" else ""
    comment = (stored.comment if stored else "") if choice == "na" else written
    if stored and (stored.answer, stored.reason, stored.comment) == (choice, reason, comment):
        return None
    return Answer(
        campaign.id,
        respondent,
        role,
        item.id,
        choice or "",
        reason,
        comment if choice else "",
        channel=_channel(role),
    )


def _written(stored: Answer | None, *, why: bool) -> str:
    if stored is None:
        return ""
    return stored.reason if why else stored.comment


def _clear(campaign: Campaign, item: Item, role: str, respondent: str) -> None:
    base = _base(campaign, item, role, respondent)
    st.session_state[_key(base)] = None
    st.session_state[f"cleared|{base}"] = True
    for why in (True, False):
        if _field(base, why=why) in st.session_state:
            st.session_state[_field(base, why=why)] = ""
    _changed(campaign, item, role, respondent)


def _clock(at: dt.datetime) -> str:
    """The time of day where the person is."""
    offset = st.context.timezone_offset or 0
    return (at - dt.timedelta(minutes=offset)).strftime("%H:%M")


def _turn(pages: list[Part], place: int) -> None:
    lang = frame.language()
    with st.container(horizontal=True, horizontal_alignment="distribute", key="turn"):
        if place > 0:
            st.button(word("previous"), key="previous", on_click=_open, args=pages[place - 1][:2])
        if place + 1 < len(pages):
            axis, part, _ = pages[place + 1]
            label = word("next") if part else word("next-axis", axis=frame.matrix().title("axes", axis, lang))
            st.button(label, key="next", type="primary", on_click=_open, args=(axis, part))
        else:
            st.button(word("finish"), key="finish", type="primary", on_click=_open, args=(DONE, 0))


def _open(axis: str, part: int) -> None:
    frame.keep(axis=axis, part=str(part) if part else "")


def _change_person() -> None:
    frame.unpick("who-side", "who-person")
    frame.keep(respondent="", axis="", part="")


def _jump(axis: str) -> None:
    _open(axis, 0)
    st.rerun()  # the whole page: the button alone would draw the progress only


def _progress(pages: list[Part], place: int) -> None:
    """Progress over all and by axis; drawn last, shown first, so that it counts the answer just given."""
    lang = frame.language()
    saved: dict[str, Answer] = st.session_state["saved"]
    items = [item for _, _, own in pages for item in own]
    done, total = sum(item.id in saved for item in items), len(items)
    left = word("time-left", minutes=minutes_for(total - done)) if done < total else word("all-done")
    announce = st.session_state.get("announce", "")
    axes = list(dict.fromkeys(one for one, _, _ in pages))
    here = "" if frame.kept("axis") == DONE else pages[place][0]
    titles = {axis: frame.matrix().title("axes", axis, lang) for axis in axes}
    counts = {
        axis: _count([item for one, _, own in pages for item in own if one == axis], saved) for axis in axes
    }
    bars = "".join(
        f'<i class="{"fr-here" if axis == here else ""}" style="flex-grow:{of};--done:{100 * got / of:.1f}%"></i>'
        for axis, (got, of) in counts.items()
    )
    spoken = "; ".join(
        [word("progress-spoken", done=done, total=total)]
        + [word("axis-button", axis=titles[axis], done=got, total=of) for axis, (got, of) in counts.items()]
    )
    st.html(
        f'<div class="fr-progress" data-announce="{escape(announce)}">'
        f'<span class="fr-bars" role="img" aria-label="{escape(spoken)}">{bars}</span></div>'
    )
    with st.container(horizontal=True, vertical_alignment="center", key="progress-line"):
        frame.paragraph(f"{word('done-of', done=done, total=total)} · {left}", "small")
        with st.popover(word("axes-label"), type="tertiary", key="axes"):
            for axis, (got, of) in counts.items():
                st.button(
                    word("axis-button", axis=titles[axis], done=got, total=of),
                    key=f"axis-{axis}",
                    type="primary" if axis == here else "secondary",
                    width="stretch",
                    on_click=_jump,
                    args=(axis,),
                )


def _count(items: list[Item], saved: dict[str, Answer]) -> tuple[int, int]:
    return sum(item.id in saved for item in items), len(items)


def _finished(pages: list[Part], saved: dict[str, Answer]) -> None:
    items = [(axis, part, item) for axis, part, own in pages for item in own]
    missing = [(axis, part) for axis, part, item in items if item.id not in saved]
    frame.heading(word("finished-title"))
    done = len(items) - len(missing)
    frame.paragraph(word("finished-some" if missing else "finished-all", done=done, total=len(items)))
    with st.container(horizontal=True, key="finished"):
        if missing:
            st.button(word("first-open"), key="first-open", type="primary", on_click=_open, args=missing[0])
        else:
            st.button(word("back-to-questions"), key="back", on_click=_open, args=pages[0][:2])
        if st.button(word("see-results"), key="see-results", type="secondary" if missing else "primary"):
            frame.go("results")
        _other_person()


def _other_person() -> None:
    st.button(word("other-person"), key="other-person", on_click=_change_person)


__all__ = ["minutes_for", "page"]
