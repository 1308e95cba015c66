"""Campaign: what is assessed and with whom it was agreed, its opening and closing, its history; and the institutions."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable, Iterable, Mapping
from html import escape
from typing import Any

import streamlit as st

from dashboard import access, frame
from dashboard.home import COUNTRIES, QUESTIONNAIRE, TITLE_LIMIT, TYPES, all_away, managed
from dashboard.paging import minutes_for
from dashboard.results import asked, scope_of, table
from data import Campaign, Event, Institution, Invitations, Target
from data.accounts import EVERYWHERE
from data.store import BY_AXIS, COMMENT_LIMIT, COMMITTEE, FEEDBACK_STATES, NAME_LIMIT, SCOPES
from matrix import day

word = frame.word
TURNS = {"draft": "open", "open": "close", "closed": "reopen"}
"""What can be done to a campaign in each state."""
LINES = {"open": 3, "close": 5, "reopen": 3}
"""How many sentences say what that does."""
DATES = ("programme_start", "closes", "next_date")
PLAIN = (
    "title",
    "year",
    "scope_kind",
    "scope",
    "languages",
    "committee",
    "anchor",
    "retention_months",
    *DATES,
)
SECTIONS = {
    "draft": ("about", "axes", "targets", "agreed"),
    "open": ("about", "axes", "targets", "agreed"),
    "closed": ("carried",),
}
"""The forms of settings in each state; a closed campaign lets change only what no result rests on."""
FIRST_DAY, LAST_DAY = dt.date(1950, 1, 1), dt.date(2100, 12, 31)
Values = dict[str, Any]


def page() -> None:
    """Draw the page."""
    away = bool(st.session_state.get("ca-away"))
    every = [one for one in frame.campaigns(archived=away) if one.kind == "assessment"]
    chosen = frame.choose(every) if every else None
    with st.container(key="campaign"):
        if chosen is not None:
            _campaign(chosen)
        elif not away and frame.campaigns(archived=True):
            all_away()
        else:
            frame.empty("ca-empty", None)
        _institutions()


def _campaign(campaign: Campaign) -> None:
    house = frame.institutions()[campaign.institution]
    manages = access.person().may("manage", house.id)
    mark = f'<span class="fr-tag">{escape(word("ca-archived"))}</span>' if campaign.archived else ""
    title = f"{house.name} · {campaign.title}"
    st.html(f'<h1 class="fr-h1">{escape(title)}{frame.tag(campaign)}{mark}</h1>')
    frame.banner(campaign)
    _life(campaign, house, manages=manages)
    if campaign.state == "closed":  # what is to be done next stands first
        _feedback(campaign, manages=manages)
    frame.heading(word("ca-settings"), 2)
    st.html(_settings(campaign))
    if manages:
        for section in SECTIONS[campaign.state]:
            with st.expander(word(f"ca-section-{section}"), key=f"ca-section-{section}"):
                _edit(campaign, section)
        if campaign.state == "closed":
            frame.paragraph(word("ca-locked"), "small")
    if campaign.state != "closed":
        _feedback(campaign, manages=manages)
    if manages:
        _history(campaign)
        if campaign.archived or campaign.state != "open":
            _put_away(campaign)


# --- opening, closing, reopening ----------------------------------------------------------------------------------


def _life(campaign: Campaign, house: Institution, *, manages: bool) -> None:
    """How far the campaign is, and the one way on; nothing is done before it has been said and confirmed."""
    turn, wanted = TURNS[campaign.state], str(st.session_state.get("turning", ""))
    with st.container(border=True, key="ca-life"):
        frame.heading(word(f"ca-state-{campaign.state}"), 2)
        since = {"draft": campaign.created, "open": campaign.opened, "closed": campaign.closed}[
            campaign.state
        ]
        frame.paragraph(word(f"ca-state-{campaign.state}-why", date=_when(since or campaign.created)[0]))
        _said("life")
        away = campaign.archived or (house.archived and turn != "close")  # nothing put away takes answers
        if away or not manages:
            return
        if wanted == f"{turn}|{campaign.id}":
            _confirm(campaign, turn)
            return
        if wanted.endswith(f"|{campaign.id}"):  # somebody else was faster
            frame.keep(turning="")
            st.info(word("ca-already"))
        st.button(
            word(f"ca-{turn}"),
            key=f"ca-{turn}",
            type="primary" if turn == "open" else "secondary",
            on_click=frame.keep,
            kwargs={"turning": f"{turn}|{campaign.id}"},
        )


def _confirm(campaign: Campaign, turn: str) -> None:
    """Say what opening, closing or reopening does, and do it when that is confirmed."""
    frame.heading(word(f"ca-{turn}-title"), 3)
    if turn != "close" and campaign.closes and campaign.closes < _today():
        frame.note(f"ca-{turn}-past", "▲", "alert", date=day(campaign.closes, frame.language()))
    lines = [word(f"ca-{turn}-{n + 1}", months=campaign.retention_months) for n in range(LINES[turn])]
    if turn == "close":
        lines = [*_so_far(campaign), *lines]
    st.html(f'<ul class="fr-list">{"".join(f"<li>{escape(line)}</li>" for line in lines)}</ul>')
    with st.form(f"form-{turn}", border=False):
        reason = ""
        if turn == "reopen":
            reason = st.text_area(word("ca-reason"), key="ca-reason", max_chars=COMMENT_LIMIT, height=90)
        with st.container(horizontal=True):
            sent = st.form_submit_button(word(f"ca-{turn}-now"), key=f"ca-{turn}-now", type="primary")
            st.form_submit_button(
                word("ca-not-now"), key="ca-not-now", on_click=frame.keep, kwargs={"turning": ""}
            )
    if not sent:
        return
    if turn == "reopen" and not reason.strip():
        st.error(word("ca-error-reason"))
        return
    store, author = frame.store(), access.author()
    with frame.in_words():
        if turn == "open":
            store.open_campaign(campaign.id, author=author)
        elif turn == "close":
            store.close_campaign(campaign.id, author=author)
        else:
            store.reopen_campaign(campaign.id, reason, author=author)
        frame.keep(turning="")
        _say("life", word(f"ca-{turn}-done"))
        st.rerun()


def _so_far(campaign: Campaign) -> list[str]:
    """Who has answered until now, and what that means for a closing."""
    people = {"declared": 0, "experienced": 0}
    for one in frame.store().progress(campaign.id):
        if lens := frame.matrix().lens_of.get(one.role):  # a role that the matrix had once counts on no side
            people[lens] += one.respondents
    n_min, lines = frame.matrix().thresholds.n_min, [word("ca-close-people", None, **people)]
    if not people["experienced"]:
        lines.append(word("ca-close-nobody"))
    elif people["experienced"] < n_min:
        lines.append(word("ca-close-few", n=n_min))
    going = sum(one.started - one.submitted for one in Invitations(frame.store()).standing(campaign.id))
    if going > 0:
        lines.append(word("ca-close-going", n=going))
    return lines


# --- settings -----------------------------------------------------------------------------------------------------


def _settings(campaign: Campaign) -> str:
    """The settings as a list; what is kept by axis a line each."""
    plain = ("year", "languages", "committee", "anchor", *DATES, "retention_months")
    shown = [(word("ca-field-scope_kind"), [scope_of(campaign)])]
    shown += [(word(f"ca-field-{name}"), [_told(name, getattr(campaign, name))]) for name in plain]
    for name in BY_AXIS:
        lines = [_line(f"{name}.{axis}", one) for axis, one in getattr(campaign, name).items()]
        if lines or name == "targets":
            shown.append((word(f"ca-field-{name}"), lines or [frame.NOTHING]))
    shown.append((word("fact-asked"), [asked(campaign)]))
    listed = ""
    for label, lines in shown:
        told = "".join(f"<dd>{escape(line)}</dd>" for line in lines)
        listed += f"<div><dt>{escape(label)}</dt>{told}</div>"
    return f'<dl class="fr-facts">{listed}</dl>'


def _flat(campaign: Campaign) -> Values:
    """The settings one by one; those kept by axis as ``setting.axis``."""
    flat = {name: getattr(campaign, name) for name in PLAIN}
    for axis in frame.matrix().ids("axes"):
        flat |= {f"{name}.{axis}": getattr(campaign, name).get(axis) for name in BY_AXIS}
    return flat


def _edit(campaign: Campaign, section: str) -> None:
    """The form of one section, which keeps what was changed on it and leaves the rest to whoever changes it."""
    mark = f"{section}|{campaign.id}"
    base, name = _drawn(mark, _flat(campaign))
    fields = {
        "about": _about,
        "axes": _axes,
        "targets": _targets,
        "agreed": _agreed,
        "carried": _carried,
    }[section]
    with st.form(f"form|{name}", border=False):
        values = fields(base, name)
        sent = st.form_submit_button(word("ca-save"), key=f"save|{name}", type="primary")
    _said(mark)
    if not sent:
        return
    now = frame.store().campaign(campaign.id)

    def keep(touched: Values) -> None:
        plain = {key: value for key, value in touched.items() if "." not in key}
        frame.store().edit_campaign(
            campaign.id, author=access.author(), by_axis=_single_axes(touched), **plain
        )

    _settle(mark, base, values, _flat(now), keep)


def _single_axes(touched: Values) -> dict[str, Values]:
    """The changed settings that are kept by axis, as the store puts them into what is there."""
    found: dict[str, Values] = {}
    for key, value in touched.items():
        name, _, axis = key.partition(".")
        if axis:
            found.setdefault(name, {})[axis] = value or None
    return found


def _about(base: Values, name: str) -> Values:
    one, two = st.columns([3, 1])
    three, four = st.columns(2)
    values = {
        "title": _text(one, "title", base, name, limit=TITLE_LIMIT),
        "year": int(two.number_input(word("ca-field-year"), 2000, 2100, base["year"], key=f"year|{name}")),
        "scope_kind": frame.pick(
            three.selectbox,
            word("ca-field-scope_kind"),
            {kind: word(f"scope-{kind}") for kind in SCOPES},
            f"scope_kind|{name}",
            base["scope_kind"],
        ),
        "scope": _text(four, "scope", base, name, hint=word("field-scope-hint")),
        "programme_start": _date(st, "programme_start", base, name),
    }
    frame.paragraph(word("ca-programme-why"), "small")
    frame.paragraph(word("ca-field-languages"), "label")
    # a campaign of an imported table says none: it is asked in all
    known, spoken = frame.matrix().languages, base["languages"] or frame.matrix().languages
    with st.container(horizontal=True):
        wanted = tuple(
            lang
            for lang in known
            if st.checkbox(word("language-name", lang), lang in spoken, key=f"language|{lang}|{name}")
        )
    values["languages"] = base["languages"] if wanted == tuple(spoken) else wanted
    return values


def _axes(base: Values, name: str) -> Values:
    frame.paragraph(word("ca-axes-why"), "small")
    values = {}
    for axis in frame.matrix().axes:
        left, right = st.columns(2)
        for place, setting in ((left, "out_of_scope"), (right, "scope_views")):
            key = f"{setting}.{axis.id}"
            values[key] = _text(place, key, base, name, limit=COMMENT_LIMIT, area=True) or None
    return values


def _targets(base: Values, name: str) -> Values:
    lang, matrix = frame.language(), frame.matrix()
    frame.paragraph(word("ca-targets-why"), "small")
    levels = {"0": word("ca-no-target")} | {
        str(one.number): f"{one.number}. {one.title[lang]}" for one in matrix.levels
    }
    values: Values = {}
    for axis in matrix.axes:
        key, left_out = f"targets.{axis.id}", base[f"out_of_scope.{axis.id}"]
        if left_out and not base[key]:
            continue
        target = base[key] or Target(0, "")
        left, right = st.columns(2)
        level = frame.pick(left.selectbox, axis.title[lang], levels, f"{key}|{name}", str(target.level))
        label = word("ca-agreed-by", axis=axis.title[lang])
        by = right.text_input(label, target.by, key=f"{key}|by|{name}", max_chars=NAME_LIMIT).strip()
        values[key] = Target(int(level), by) if int(level) or by else None
        if left_out:
            frame.paragraph(word("ca-error-target-out", axis=axis.title[lang]), "small")
    return values


def _agreed(base: Values, name: str) -> Values:
    views = {view: word(f"committee-{view}") for view in COMMITTEE}
    committee = frame.pick(
        st.radio, word("ca-field-committee"), views, f"committee|{name}", base["committee"]
    )
    frame.paragraph(word("ca-committee-why"), "small")
    closes = _date(st, "closes", base, name)
    return {"committee": committee, "closes": closes, **_carried(base, name)}


def _carried(base: Values, name: str) -> Values:
    anchor = _text(st, "anchor", base, name, hint=word("ca-anchor-hint"))
    one, two = st.columns(2)
    following = _date(one, "next_date", base, name)
    label, kept = word("ca-field-retention_months"), base["retention_months"]
    months = int(two.number_input(label, 1, 120, kept, key=f"retention_months|{name}"))
    frame.paragraph(word("ca-retention-why"), "small")
    return {"anchor": anchor, "next_date": following, "retention_months": months}


def _text(
    place: Any,
    key: str,
    base: Values,
    name: str,
    *,
    hint: str = "",
    limit: int = NAME_LIMIT,
    area: bool = False,
) -> str:
    """A field of text; spaces around it are nobody's change."""
    setting, _, axis = key.partition(".")
    label, old = word(f"ca-field-{setting}"), base[key] or ""
    if axis:
        label = word(f"ca-of-axis-{setting}", axis=frame.matrix().title("axes", axis, frame.language()))
    looks: Values = {"placeholder": hint, "max_chars": limit, "key": f"{key}|{name}"}
    written = str(
        place.text_area(label, old, height=90, **looks) if area else place.text_input(label, old, **looks)
    )
    return old if written.strip() == old.strip() else written.strip()


def _date(place: Any, key: str, base: Values, name: str) -> dt.date | None:
    found = place.date_input(
        word(f"ca-field-{key}"),
        base[key],
        min_value=FIRST_DAY,
        max_value=LAST_DAY,
        format="DD/MM/YYYY",
        key=f"{key}|{name}",
    )
    return found if isinstance(found, dt.date) else None


# --- forms that two people may have open at once ------------------------------------------------------------------


def _drawn(mark: str, stored: Values) -> tuple[Values, str]:
    """What a form was drawn with, and the name its fields share; both last until it is kept or left.

    Only against what it was drawn with can be told what was changed on it, whatever others keep in between.
    """
    held: tuple[Values, str] | None = st.session_state.get(f"drawn|{mark}")
    if held is None or f"save|{held[1]}" not in st.session_state:
        held = st.session_state[f"drawn|{mark}"] = (stored, f"{mark}|{secrets.token_hex(4)}")
    return held


def _settle(mark: str, base: Values, values: Values, now: Values, keep: Callable[[Values], None]) -> None:
    """Keep what was changed on a form, or say why not; what others changed meanwhile is never written over unseen."""
    touched = {key: value for key, value in values.items() if value != base[key]}
    problems = [*_problems(values), *_contradictions(touched, now)]
    for problem in problems:
        st.error(frame.plain(problem))
    if problems:
        return
    clash = [key for key, value in touched.items() if now[key] not in (base[key], value)]
    if clash:
        base.update({key: now[key] for key in clash})
        told = "; ".join(_line(key, now[key]) for key in clash)
        st.warning(frame.plain(word("ca-clash", fields=told)))
        return
    with frame.in_words():
        if touched:
            keep(touched)
        st.session_state.pop(f"drawn|{mark}", None)
        _say(mark, word("ca-saved" if touched else "ca-unchanged"))
        st.rerun()


def _problems(values: Values) -> list[str]:
    """What is missing on a form, in words."""
    lang, problems = frame.language(), []
    example = word("default-title", year=values.get("year", dt.datetime.now(tz=dt.UTC).year))
    if values.get("title", " ") == "":
        problems.append(word("error-title", example=example))
    if values.get("name", " ") == "":
        problems.append(word("error-name"))
    if values.get("languages", frame.matrix().languages) == ():
        problems.append(word("ca-error-languages"))
    for axis in frame.matrix().axes:
        target = values.get(f"targets.{axis.id}")
        if target and not (target.level and target.by):
            problems.append(word("ca-error-target", axis=axis.title[lang]))
        if values.get(f"scope_views.{axis.id}") and not values.get(f"out_of_scope.{axis.id}"):
            problems.append(word("ca-error-view", axis=axis.title[lang]))
    return problems


def _contradictions(touched: Values, now: Values) -> list[str]:
    """What the changes of a form make impossible, in words; what was kept before stays as it was, however old."""
    lang, problems, new = frame.language(), [], {**now, **touched}
    days = {key: touched[key] for key in ("closes", "next_date") if touched.get(key)}
    for key, given in days.items():
        if given < _today():
            problems.append(word("ca-error-past", field=word(f"ca-field-{key}"), date=day(given, lang)))
    if days and not problems and new["closes"] and new["next_date"] and new["next_date"] < new["closes"]:
        told = {"date": day(new["next_date"], lang), "closes": day(new["closes"], lang)}
        problems.append(word("ca-error-order", None, **told))
    for axis in frame.matrix().axes:
        target, reason = f"targets.{axis.id}", f"out_of_scope.{axis.id}"
        begun = touched.get(target) or (touched.get(reason) and not now[reason])
        if begun and new[target] and new[reason]:
            problems.append(word("ca-error-target-out", axis=axis.title[lang]))
    return problems


def _today() -> dt.date:
    """The day it is where the person is."""
    return _here(dt.datetime.now(tz=dt.UTC)).date()


def _say(place: str, text: str) -> None:
    """Have this said at a place of the page when it is drawn again: where one has just acted, so that it is seen."""
    st.session_state["ca-said"] = (place, text, secrets.token_hex(4))


def _said(place: str) -> None:
    """Say what there is to say at this place, once; the frame reads it out, the same words a second time too."""
    wanted, text, which = st.session_state.get("ca-said", ("", "", ""))
    if wanted == place:
        del st.session_state["ca-said"]
        spoken = escape(f"{text.replace('|', ' ')}|{which}")
        st.html(
            f'<p class="fr-note fr-done" data-announce="{spoken}"><span aria-hidden="true">✓</span>'
            f"<span>{escape(text)}</span></p>"
        )


# --- settings and history in words --------------------------------------------------------------------------------


def _told(name: str, value: Any) -> str:
    """A setting in words, as the campaign has it or as history wrote it down."""
    if value in (None, "", (), [], {}):
        return frame.NOTHING
    if name in BY_AXIS:
        return "; ".join(_line(f"{name}.{axis}", one) for axis, one in value.items())
    if name in DATES:
        return day(dt.date.fromisoformat(str(value)), frame.language())
    if name == "languages":
        return ", ".join(word("language-name", lang) for lang in value)
    if name == "archived":
        return word("ca-yes" if value else "ca-no")
    keys = {"committee": "committee", "scope_kind": "scope", "country": "country", "type": "type"}
    key = f"{keys.get(name)}-{value}"
    return word(key) if key in frame.words().texts else str(value)


def _line(key: str, value: Any) -> str:
    """A setting with its name; one kept by axis with the axis."""
    name, _, axis = key.partition(".")
    if not axis:
        return word("fact-line", label=word(f"ca-field-{name}"), text=_told(name, value))
    lang, matrix = frame.language(), frame.matrix()
    label = matrix.title("axes", axis, lang) if axis in matrix.ids("axes") else axis
    if not value:
        return word("fact-line", label=label, text=frame.NOTHING)
    if name == "targets":
        level, by = value
        title = next((one.title[lang] for one in matrix.levels if one.number == level), "")
        return word("ca-target", axis=label, level=level, title=title, by=by)
    return word("fact-line", label=label, text=value)


def _history(campaign: Campaign) -> None:
    """Everything that was done to a campaign."""
    events = frame.store().events(campaign=campaign.id)
    with st.expander(word("ca-history", n=len(events)), key="ca-history"):
        _events(events)


def _house_history(house: str) -> None:
    """Everything that was done to an institution itself, and who may do what there and for all institutions."""
    found = [one for where in (house, EVERYWHERE) for one in frame.store().events(institution=where)]
    events = sorted((one for one in found if not one.campaign), key=lambda one: one.at, reverse=True)
    frame.heading(word("ca-history", n=len(events)), 3)
    _events(events)


def _events(events: Iterable[Event]) -> None:
    """When, who, what: a table, latest first."""
    rows = []
    for one in events:
        who = one.author or word("ca-this-computer")
        rows.append((" ".join(_when(one.at)), [who, _what(one), " · ".join(_detail(one)) or frame.NOTHING]))
    heads = [word(key) for key in ("ca-who", "ca-what", "ca-detail")]
    st.html(table(word("ca-when"), heads, rows))


def _what(event: Event) -> str:
    """What was done, in words."""
    older = (
        event.what == "withdrawn" and "account" in event.detail
    )  # what taking back a role was called at first
    key = "ca-event-grant_withdrawn" if older else f"ca-event-{event.what}"
    return word(key) if key in frame.words().texts else event.what


def _detail(event: Event) -> Iterable[str]:
    """What an event says beside its name: each change with its old and new value, a reason, whom it was for."""
    for name, found in event.detail.items():
        if f"ca-field-{name}" in frame.words().texts and isinstance(found, list):
            before, after = (_changed(name, found, place) for place in (0, 1))
            yield word("ca-change", field=word(f"ca-field-{name}"), before=before, after=after)
        elif name == "account":
            yield str(found)
        elif name == "role" and found in access.RIGHTS:
            yield word(f"ca-role-{found}")
            if event.institution == EVERYWHERE:
                yield word("ca-everywhere")
        elif name == "role" and found in frame.matrix().lens_of:
            yield frame.matrix().title("roles", found, frame.language())
        elif name == "reason":
            yield str(found)
        elif name in ("count", "expected") and found:
            yield word("ca-people", n=found)


def _changed(name: str, pair: list[Any], place: int) -> str:
    """One side of a change; of a setting kept by axis only the axes that changed."""
    if name not in BY_AXIS:
        return _told(name, pair[place])
    old, new = pair
    axes = [axis for axis in {**old, **new} if old.get(axis) != new.get(axis)]
    return _told(name, {axis: pair[place].get(axis) for axis in axes})


def _when(at: dt.datetime) -> tuple[str, str]:
    """Day and time of day where the person is."""
    here = _here(at)
    return day(here.date(), frame.language()), here.strftime("%H:%M")


def _here(at: dt.datetime) -> dt.datetime:
    """A moment as the clock of the person shows it."""
    return at - dt.timedelta(minutes=st.context.timezone_offset or 0)


# --- you said, we did ---------------------------------------------------------------------------------------------


def _feedback(campaign: Campaign, *, manages: bool) -> None:
    """What patients said and what is done about it, for the page they find at their link after the closing."""
    lines = frame.store().feedback(campaign.id)
    if campaign.state != "closed" and not lines:
        return
    lang, matrix = frame.language(), frame.matrix()
    frame.heading(word("ca-feedback"), 2)
    frame.paragraph(word("ca-feedback-why"), "small")
    for one in lines:
        axis = matrix.title("axes", one.axis, lang) if one.axis in matrix.ids("axes") else word("ca-whole")
        with st.container(border=True, key=f"ca-feedback-{one.id}"):
            st.html(
                f'<p class="fr-small">{escape(axis)}<span class="fr-tag">{escape(word(f"ca-did-{one.state}"))}</span></p>'
                f'<dl class="fr-facts fr-wide"><div><dt>{escape(word("ca-said"))}</dt><dd>{escape(one.said)}</dd></div>'
                f"<div><dt>{escape(word('ca-did'))}</dt><dd>{escape(one.did)}</dd></div></dl>"
            )
            if manages:
                with st.popover(word("ca-remove"), type="tertiary", key=f"ca-remove-{one.id}"):
                    frame.paragraph(word("ca-remove-why"))
                    if st.button(word("ca-remove-now"), key=f"ca-remove-now-{one.id}"):
                        frame.store().remove_feedback(one.id)
                        st.rerun()
    if manages and campaign.state == "closed":
        _said("feedback")
        with st.expander(word("ca-feedback-add"), expanded=not lines, key="ca-feedback-add"):
            _add_feedback(campaign)


def _add_feedback(campaign: Campaign) -> None:
    lang, name = frame.language(), st.session_state.setdefault("ca-feedback-name", secrets.token_hex(4))
    axes = {"": word("ca-whole")} | {one.id: one.title[lang] for one in frame.matrix().axes}
    states = {state: word(f"ca-did-{state}") for state in ("doing", *FEEDBACK_STATES)}
    with st.form(f"ca-feedback|{name}", border=False):
        axis = frame.pick(st.selectbox, word("trace-axis"), axes, f"ca-feedback-axis|{name}")
        said = st.text_area(word("ca-said"), key=f"ca-said|{name}", max_chars=COMMENT_LIMIT, height=90)
        did = st.text_area(word("ca-did"), key=f"ca-did|{name}", max_chars=COMMENT_LIMIT, height=90)
        state = frame.pick(st.radio, word("ca-did-state"), states, f"ca-did-state|{name}", horizontal=True)
        sent = st.form_submit_button(word("ca-feedback-keep"), key=f"ca-keep|{name}", type="primary")
    if not sent:
        return
    if not said.strip() or not did.strip():
        st.error(word("ca-error-feedback"))
        return
    with frame.in_words():
        frame.store().add_feedback(
            campaign.id, said=said.strip(), did=did.strip(), axis=axis, state=state, author=access.author()
        )
        st.session_state.pop("ca-feedback-name")
        _say("feedback", word("ca-saved"))
        st.rerun()


# --- what is put away ---------------------------------------------------------------------------------------------


def _put_away(campaign: Campaign) -> None:
    key = "restore" if campaign.archived else "archive"
    if st.button(word(f"ca-{key}"), key=f"ca-{key}", type="tertiary", help=word(f"ca-{key}-why")):
        with frame.in_words():
            frame.store().edit_campaign(campaign.id, author=access.author(), archived=not campaign.archived)
            st.session_state.pop("campaign-choice", None)
            _say("away", word(f"ca-{key}d-done", name=campaign.title))
            st.rerun()


# --- institutions -------------------------------------------------------------------------------------------------


def _institutions() -> None:
    """The institutions: the list, their data, new ones, and campaigns prepared for them."""
    person, houses, away = access.person(), frame.institutions(), bool(st.session_state.get("ca-away"))
    if not houses and not person.may("manage", "*"):
        return
    frame.heading(word("ca-institutions"), 2)
    counts: dict[str, int] = {}
    for campaign in frame.campaigns(archived=True):
        counts[campaign.institution] = counts.get(campaign.institution, 0) + 1
    listed = [one for one in houses.values() if away or not one.archived]
    with st.expander(word("ca-list", n=len(listed)), key="ca-list"):
        heads = [word(f"ca-field-{key}") for key in ("type", "country", "beds")] + [word("ca-campaigns")]
        rows = [
            (
                one.name + (f" ({word('ca-archived')})" if one.archived else ""),
                [_told(key, getattr(one, key)) for key in ("type", "country", "beds")]
                + [str(counts.get(one.id, 0))],
            )
            for one in listed
        ]
        st.html(table(word("ca-field-name"), heads, rows))
    _said("away")
    st.checkbox(word("ca-away"), key="ca-away")
    mine = [one for one in listed if person.may("manage", one.id)]
    if mine:
        with st.expander(word("ca-edit-institution"), key="ca-edit-institution"):
            labels = {one.id: one.name for one in mine}
            here = frame.kept("campaign")
            own = next((one.institution for one in frame.campaigns(archived=True) if one.id == here), "")
            chosen = frame.pick(st.selectbox, word("field-institution"), labels, "ca-house", own)
            _edit_institution(houses[chosen])
            _house_history(chosen)
    if person.may("manage", "*"):
        with st.expander(word("ca-new-institution"), key="ca-new-institution"):
            _new_institution()
    if managed():
        with st.container(key="ca-prepare"):
            name = st.session_state.setdefault("ca-new-name", secrets.token_hex(4))
            with st.expander(word("ca-prepare"), key=f"ca-prepare|{name}"):
                _prepare(managed(), name)


def _as_values(house: Institution) -> Values:
    return {name: getattr(house, name) for name in ("name", "country", "type", "beds")}


def _house_fields(base: Values, name: str) -> Values:
    written = st.text_input(
        word("field-name"), base["name"], key=f"name|{name}", max_chars=TITLE_LIMIT
    ).strip()
    values: Values = {"name": base["name"] if written == base["name"].strip() else written}
    one, two, three = st.columns(3)
    for place, key, known in ((one, "country", COUNTRIES), (two, "type", TYPES)):
        ids = [*known] if base[key] in known else [base[key], *known]  # what an imported table said stays
        labels = {id_: _told(key, id_) for id_ in ids}
        values[key] = frame.pick(place.selectbox, word(f"field-{key}"), labels, f"{key}|{name}", base[key])
    beds = three.number_input(word("ca-field-beds"), 0, 100_000, base["beds"], step=1, key=f"beds|{name}")
    return values | {"beds": None if beds is None else int(beds)}


def _edit_institution(house: Institution) -> None:
    mark = f"house|{house.id}"
    base, name = _drawn(mark, _as_values(house))
    with st.form(f"form|{name}", border=False):
        values = _house_fields(base, name)
        sent = st.form_submit_button(word("ca-save"), key=f"save|{name}", type="primary")
    _said(mark)
    if sent:

        def keep(touched: Values) -> None:
            frame.store().edit_institution(house.id, author=access.author(), **touched)

        _settle(mark, base, values, _as_values(frame.institutions()[house.id]), keep)
    key = "restore" if house.archived else "archive"
    if st.button(word(f"ca-{key}-institution"), key=f"ca-{key}-institution", type="tertiary"):
        with frame.in_words():
            frame.store().edit_institution(house.id, author=access.author(), archived=not house.archived)
            st.session_state.pop("campaign-choice", None)
            _say("away", word(f"ca-{key}d-done", name=house.name))
            st.rerun()


def _new_institution() -> None:
    mark = "house|"
    base, name = _drawn(mark, {"name": "", "country": COUNTRIES[0], "type": "general", "beds": None})
    with st.form(f"form|{name}", border=False):
        values = _house_fields(base, name)
        sent = st.form_submit_button(word("ca-add"), key=f"save|{name}", type="primary")
    _said(mark)
    if not sent:
        return
    if problems := _problems(values):
        st.error(problems[0])
        return
    with frame.in_words():
        frame.store().add_institution(**values, author=access.author())
        st.session_state.pop(f"drawn|{mark}", None)
        _say(mark, word("ca-added", name=values["name"]))
        st.rerun()


def _prepare(houses: Mapping[str, Institution], name: str) -> None:
    """A campaign to be settled before anybody can answer; the next one begins folded and empty, under a new name."""
    year = dt.datetime.now(tz=dt.UTC).year
    questionnaire = frame.questionnaires()[QUESTIONNAIRE]
    frame.paragraph(word("ca-prepare-why"), "small")
    with st.form(f"ca-new|{name}", border=False):
        labels = {id_: one.name for id_, one in houses.items()}
        house = frame.pick(st.selectbox, word("field-institution"), labels, f"ca-new-house|{name}")
        one, two = st.columns([3, 1])
        example = word("default-title", year=year)
        title = one.text_input(
            word("field-title"), example, key=f"ca-new-title|{name}", max_chars=TITLE_LIMIT
        )
        when = two.number_input(word("field-year"), 2000, 2100, year, key=f"ca-new-year|{name}")
        sizes = {id_: len(questionnaire.form(id_)) for id_ in ("full", "express")}
        forms = {id_: word(f"form-choice-{id_}", n=n, minutes=minutes_for(n)) for id_, n in sizes.items()}
        form = frame.pick(st.radio, word("field-form"), forms, f"ca-new-form|{name}")
        sent = st.form_submit_button(word("ca-prepare-now"), key=f"ca-prepare-now|{name}", type="primary")
    if not sent:
        return
    if not title.strip():
        st.error(word("error-title", example=example))
        return
    with frame.in_words():
        made = frame.store().add_campaign(
            house,
            questionnaire,
            title=title.strip(),
            year=int(when),
            scope=word("default-scope"),
            form=form,
            languages=frame.matrix().languages,
            state="draft",
            author=access.author(),
        )
        st.session_state.pop("campaign-choice", None)
        frame.keep(campaign=made.id, role="", respondent="", axis="", part="")
        st.session_state.pop("ca-new-name")
        _say("life", word("ca-prepared", name=made.title))
        st.rerun()


__all__ = ["page"]
