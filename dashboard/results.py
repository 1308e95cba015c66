"""Results: the sentence, the matrix, what it rests on, and why."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import math
import re
import unicodedata
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import streamlit as st

from dashboard import access, frame
from data import Campaign, Change
from matrix import day, number, percent
from reports import headline, matrix_csv, matrix_svg, matrix_table_html
from scoring import CRITERIA, disclosed, load_rulebook, score

if TYPE_CHECKING:
    from collections.abc import Sequence

    from questionnaires import Questionnaire

word = frame.word
ICONS = {
    "unknown": "?",
    "none": "○",
    "sound": "●",
    "unproven": "?",
    "emerging": "◔",
    "watch": "◑",
    "high": "▲",
    "critical": "▲▲",
}
EPSILON = 1e-9
LENSES = ("declared", "experienced")
"""The sides that answer."""
SHOWN = ("presence", "display")
"""The conditions that say what is shown, in what the institution declares."""
SHORT = 8
"""Characters of a fingerprint that tell two questionnaires apart."""
SEVERITIES = ("critical", "high", "medium", "low")
FINDINGS = 3
"""How many findings stand open, the gravest first; the others are folded."""


def page() -> None:
    """Draw the page."""
    every = frame.campaigns()
    if not every:
        frame.empty("results-empty", None)
        return
    campaign = frame.choose(every)
    questionnaire = frame.questionnaire_of(campaign) if campaign else None
    if campaign is None or questionnaire is None:
        return
    result, trace = scored(campaign)
    if not any(result["respondents"].values()):
        frame.empty("results-empty", campaign)
        kept_back(campaign)
        return
    _top(campaign, result)
    if campaign.kind == "reading":
        _places(campaign, questionnaire)
    else:
        basis(campaign, _explained(result))
        _targets(campaign, result)
        _showcase(result)
        _changed(campaign, questionnaire)
        _findings(campaign, questionnaire, result, trace)
        _lenses(result)
        _trace(campaign, questionnaire, result, trace)
        _unjudged(campaign, questionnaire, result, trace)
        _comments(campaign, questionnaire, result)
    if result["sealed"] != "open":  # nothing travels before both sides can see it
        _downloads(campaign, result)


def warm() -> None:
    """Load what the first visitor would otherwise wait for."""
    load_rulebook()


class Shown(NamedTuple):
    """The sides whose answers may be shown of an assessment now, and why not both.

    ``why`` is empty, ``open`` (each side waits for the closing), ``few`` (so few patients that they could be
    recognised) or ``unseen`` (the campaign is not for the person at the screen).
    """

    lenses: tuple[str, ...]
    why: str


def shown(campaign: Campaign) -> Shown:
    """Whose answers the person at the screen may see: both sides once it is closed, until then their own.

    The dashboard is the institution's side. Of a few patients nothing is shown. Readings have no sides and are shown whole.
    """
    person = access.person()
    if not person.sees(campaign):
        return Shown((), "unseen")
    if campaign.kind == "reading":
        return Shown(LENSES, "")
    if campaign.state != "closed":
        return Shown(("declared",), "open" if _patients(campaign) else "")
    if 0 < _patients(campaign) < frame.matrix().thresholds.n_min:
        return Shown(("declared",), "few")
    return Shown(LENSES, "")


def answers_shown(campaign: Campaign) -> pa.Table:
    """The standing answers that may be shown now: everything said of an assessment is made of these."""
    return _answers_of(campaign.id, shown(campaign).lenses)


def _answers_of(campaign_id: str, lenses: tuple[str, ...]) -> pa.Table:
    roles = [one.id for one in frame.matrix().roles if one.lens in lenses]
    return frame.store().answers([campaign_id]).filter(pc.field("role").isin(roles))


def _patients(campaign: Campaign) -> int:
    """How many people have answered on the patients' side, whoever may see what they said."""
    return _counted(campaign.id, f"{frame.store().progress(campaign.id)}")


@st.cache_data(show_spinner=False, max_entries=64)
def _counted(campaign_id: str, progress: str) -> int:  # noqa: ARG001  # a part of the key: other answers, other count
    return len(pc.unique(_answers_of(campaign_id, ("experienced",))["respondent"]))


def scored(campaign: Campaign) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The score object and the trace of an assessment as of today, made of the answers that may be shown.

    All that the pages show comes from here. The object is as `disclosed` makes it, a reading's as scored.
    """
    lenses, why = shown(campaign)
    return _scored(campaign.id, _stamp(campaign), dt.datetime.now(tz=dt.UTC).date(), lenses, why)


@st.cache_data(show_spinner=False, max_entries=64)
def _scored(
    campaign_id: str,
    stamp: str,  # noqa: ARG001  # a part of the key: other facts, other score
    on: dt.date,
    lenses: tuple[str, ...],
    why: str,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What `scored` returns, kept until an answer, a proof or a setting changes."""
    store = frame.store()
    campaign, answers = store.campaign(campaign_id), _answers_of(campaign_id, lenses)
    questionnaire = frame.questionnaires()[campaign.questionnaire]
    facts = {
        "evidence": store.evidence([campaign_id]),
        "assessments": store.assessments([campaign_id]),
        "on": on,
        "form": campaign.form,
    }
    if campaign.kind == "reading":  # a text has no patients
        scores = score(questionnaire, answers, **facts)
        return {**scores.to_json()[0], "sealed": "", "withheld": []}, scores.trace(campaign_id)
    return disclosed(questionnaire, answers, sealed=why, **facts)


def _stamp(campaign: Campaign) -> str:
    """What changes whenever the facts of an assessment do."""
    store = frame.store()
    facts = store.progress(campaign.id), store.evidence([campaign.id]).num_rows, campaign
    return f"{facts}{frame.institutions()[campaign.institution]}"


def _top(campaign: Campaign, result: dict[str, Any]) -> None:
    """Headline, what it is about, and the figure."""
    lang, title = frame.language(), _name(campaign)
    frame.heading(headline(result, frame.matrix(), lang, title=title))
    st.html(f'<p class="fr-small">{escape(subtitle(campaign, result))}{frame.tag(campaign)}</p>')
    if campaign.kind == "reading":
        frame.banner(campaign)
    else:
        cover(campaign)
        missing_side(campaign, result)
    figure = matrix_table_html(
        result,
        frame.matrix(),
        lang,
        title=title,
        targets=_aims(campaign),
        reasons=campaign.out_of_scope,
    )
    st.html(figure)


def _aims(campaign: Campaign) -> dict[str, float]:
    return {axis: float(target.level) for axis, target in campaign.targets.items()}


def missing_side(campaign: Campaign, result: dict[str, Any]) -> None:
    """Say which side is missing, because nobody answered or because it is kept back, and what to do about it."""
    if result["sealed"]:
        kept_back(campaign)
    elif not result["respondents"]["experienced"]:
        frame.note("banner-no-patients", "▲", "alert")
        if campaign.state == "open":
            ask_patients(campaign)
    elif not result["respondents"]["declared"]:
        frame.note("banner-no-institution", "▲", "alert")


def kept_back(campaign: Campaign) -> None:
    """Say why the patients' answers are not shown now, if any are, and offer what would show them."""
    why, people = shown(campaign).why, _patients(campaign)
    if why == "few":
        frame.note("kept-back-few", "◇", n=frame.matrix().thresholds.n_min)
    elif why == "open":
        frame.note("kept-back-open" if people > 1 else "kept-back-one", "◇", n=people)
        manages = access.person().may("manage", campaign.institution)
        if manages and campaign.state == "open" and st.button(word("close-campaign"), key="close-campaign"):
            frame.go("campaign", turning=f"close|{campaign.id}")


def ask_patients(campaign: Campaign) -> None:
    """Offer to invite patients to whoever may do it."""
    if access.person().may("manage", campaign.institution) and st.button(
        word("ask-patients"), key="ask-patients", type="primary"
    ):
        frame.go("invite", campaign=campaign.id)


def cover(campaign: Campaign) -> None:
    """What nobody may miss of what every report carries on its cover, in one line; a disagreement stands out.

    The patients' committee, a scope smaller than the institution, and the channels of each side's answers.
    """
    committee, scope = word(f"committee-note-{campaign.committee}"), scope_of(campaign)
    told = []
    if campaign.committee == "disagreed":
        frame.note("committee-note-disagreed", "▲", "alert")
    else:
        sign = "✓" if campaign.committee == "agreed" else "?"
        told.append(f'<span><i aria-hidden="true">{sign}</i> {escape(committee)}</span>')
    lines = [(f"channels-{lens}", text) for lens, text in _channels(campaign).items()]
    if scope != word("scope-institution"):
        lines.insert(0, ("scope", scope))
    for name, text in lines:
        line = word("fact-line", label=word(f"fact-{name}"), text=text)
        told.append(f"<span>{escape(line)}</span>")
    if told:
        st.html(f'<p class="fr-small fr-cover">{"".join(told)}</p>')


def basis(campaign: Campaign, lines: Sequence[str] = ()) -> None:
    """The facts that every report carries on its cover, folded, after ``lines`` on what the answers allow to say."""
    told = "".join(f"<li>{escape(line)}</li>" for line in lines)
    above = f'<ul class="fr-explain">{told}</ul>' if told else ""
    listed = "".join(
        f"<div><dt>{escape(label)}</dt><dd>{escape(text)}</dd></div>" for label, text in facts(campaign)
    )
    st.html(
        f'<details class="fr-more"><summary>{escape(word("section-basis"))}</summary>'
        f'{above}<dl class="fr-facts">{listed}</dl></details>'
    )


def facts(campaign: Campaign) -> list[tuple[str, str]]:
    """What a result must not travel without, each with its label; the patients' committee comes first."""
    lang = frame.language()
    told = [
        ("committee", word(f"committee-{campaign.committee}")),
        ("scope", scope_of(campaign)),
        ("anchor", campaign.anchor or word("fact-none")),
        ("asked", asked(campaign)),
    ]
    by = dict.fromkeys(target.by for target in campaign.targets.values())
    if by:
        told.append(("targets-by", "; ".join(by)))
    told += [(f"channels-{lens}", text) for lens, text in _channels(campaign).items()]
    views = [
        word("fact-of-axis", axis=frame.matrix().title("axes", axis, lang), text=text)
        for axis, text in campaign.scope_views.items()
    ]
    if views:
        told.append(("scope-views", "; ".join(views)))
    return [(word(f"fact-{key}"), text) for key, text in told]


def scope_of(campaign: Campaign) -> str:
    """What a campaign is about: its kind and, unless that says it all, its name."""
    kind = word(f"scope-{campaign.scope_kind}")
    if not campaign.scope or campaign.scope in frame.words().texts["default-scope"].values():
        return kind
    return word("fact-scoped", kind=kind, name=campaign.scope)


def asked(campaign: Campaign) -> str:
    """What an assessment was asked with: questionnaire, version, fingerprint, form."""
    return word(
        "fact-asked-text",
        id=campaign.questionnaire,
        version=campaign.version,
        fingerprint=campaign.fingerprint.removeprefix("sha256:")[:SHORT],
        form=word(f"form-{campaign.form}"),
    )


def _channels(campaign: Campaign) -> dict[str, str]:
    """By which ways the answers of each side that may be shown came, in shares; not of too few patients."""
    lang = frame.language()
    counts: dict[str, dict[str, int]] = {}
    for row in (
        answers_shown(campaign).group_by(["role", "channel"]).aggregate([([], "count_all")]).to_pylist()
    ):
        own = counts.setdefault(frame.lens_of(row["role"]), {})
        own[row["channel"]] = own.get(row["channel"], 0) + row["count_all"]
    told = {}
    for lens in LENSES:
        own = counts.get(lens, {})
        shares = [
            word("channel-share", channel=_channel(name, lens), share=percent(n / sum(own.values()), lang))
            for name, n in sorted(own.items(), key=lambda one: -one[1])
        ]
        if shares:
            told[lens] = ", ".join(shares)
    return told


def _channel(name: str, lens: str) -> str:
    """A way by which answers came; the institution's own may have been given on the dashboard, without a link."""
    return word("channel-own" if (name, lens) == ("own_link", "declared") else f"channel-{name}")


def _name(campaign: Campaign) -> str:
    return f"{frame.institutions()[campaign.institution].name} · {campaign.title}"


def subtitle(campaign: Campaign, result: dict[str, Any]) -> str:
    """What a result is about: institution, assessment, form and who answered."""
    people = word("people-reading")
    if campaign.kind != "reading":
        sides = {lens: _people(count, lens) for lens, count in result["respondents"].items()}
        people = word("people-sealed" if result["sealed"] else "people", **sides)
    house = frame.institutions()[campaign.institution].name
    return word(
        "subtitle",
        institution=house,
        title=campaign.title,
        form=word(f"form-{campaign.form}"),
        people=people,
    )


def _people(count: int, lens: str) -> str:
    n_min = frame.matrix().thresholds.n_min
    if not count:
        return word("people-none")
    if lens == "experienced" and count < n_min:
        return word("people-few", n=n_min)
    return word("people-one" if count == 1 else "people-some", n=count)


def _explained(result: dict[str, Any]) -> list[str]:
    """The words in the figure that need a sentence, only those that occur in it; and how much was answered."""
    axes = [one for one in result["axes"].values() if one["applicable"]]
    lines = []
    if any(one["retained"] and one["retained"]["thin"] for one in axes):
        lines.append(word("thin-why", n=frame.matrix().thresholds.n_min))
    if any(one["unilateral"] for one in axes) and all(result["respondents"].values()):
        lines.append(word("unilateral-why"))
    lenses = [one[lens] for one in axes for lens in LENSES if one[lens]]
    if any(lens["position"] is not None and not lens["complete"] for lens in lenses):
        lines.append(word("incomplete-why"))
    lines += _withheld(result)
    lang, share = frame.language(), result["completeness"]
    shown = {lens: percent(share[lens], lang) if share[lens] is not None else frame.NOTHING for lens in share}
    if result["sealed"]:
        shown["experienced"] = word("sc-withheld" if result["sealed"] == "few" else "sc-sealed")
    lines.append(word("completeness", **shown))
    if result["summary"]["median"] is not None:
        lines.append(
            word(
                "summary",
                median=number(result["summary"]["median"], lang),
                minimum=number(result["summary"]["minimum"], lang),
            )
        )
    return lines


def _targets(campaign: Campaign, result: dict[str, Any]) -> None:
    """How far each axis is from the level it aims at."""
    lang, matrix = frame.language(), frame.matrix()
    lines = []
    for axis, target in campaign.targets.items():
        one = result["axes"].get(axis)
        if one is None or not one["applicable"]:
            continue
        titles = {
            "axis": matrix.title("axes", axis, lang),
            "target": target.level,
            "level": next(one.title[lang] for one in matrix.levels if one.number == target.level),
        }
        kept = one["retained"]
        missing = target.level - kept["position"] if kept else 0.0
        key = "reached"
        if kept is None:
            key = "unknown"
        elif missing > EPSILON:
            key = "below" if kept["complete"] else "at-most"
        # as the figure does, a position is never rounded up to what it has not reached
        at = number(int((kept["position"] if kept else 0) * 10 + 1e-6) / 10, lang)
        short = number(math.ceil(missing * 10 - 1e-6) / 10, lang)
        lines.append(word(f"target-{key}", None, **titles, position=at, missing=short))
    if lines:
        listed = "".join(f"<li>{escape(line)}</li>" for line in lines)
        frame.heading(word("section-targets"), 2)
        st.html(f'<ul class="fr-explain">{listed}</ul>')


def _changed(campaign: Campaign, questionnaire: Questionnaire) -> None:
    """The institution's answers that were changed after a reopening; of whom, is not said."""
    roles = [one.id for one in frame.matrix().roles if one.lens == "declared"]
    changes = frame.store().changed_after_reopening(campaign.id, roles)
    if not changes or "declared" not in shown(campaign).lenses:
        return
    lang, matrix = frame.language(), frame.matrix()
    frame.heading(word("section-changed"), 2)
    frame.paragraph(word("section-changed-why"), "small")
    rows = []
    for one in changes:
        ask = questionnaire.item(one.item).asked_of("declared")
        before, after = (_said(questionnaire, one, text) for text in (one.before, one.after))
        cells = [matrix.title("roles", one.role, lang), before, after, day(one.at.date(), lang)]
        rows.append((ask.text[lang] if ask else one.item, cells))
    heads = [word(key) for key in ("changed-role", "changed-before", "changed-after", "changed-when")]
    st.html(table(word("trace-question"), heads, rows))


def _said(questionnaire: Questionnaire, change: Change, answer: str) -> str:
    """An answer in words; an empty one was taken back."""
    if not answer:
        return word("changed-taken-back")
    if answer in ("dk", "na"):
        return word(f"option-{answer}")
    options = questionnaire.options(change.item, "declared")
    return next((one.text[frame.language()] for one in options if one.id == answer), answer)


class Verdict(NamedTuple):
    """The state of an axis, or ``unknown``, in a word and with its sign; and the sentences that say why."""

    state: str
    said: str
    sign: str
    why: list[str]


def verdict(result: dict[str, Any], axis: str) -> Verdict:
    """What is said of an axis wherever it is judged; made of what is known and may be shown, never of what is not."""
    one = result["axes"][axis]
    state, conditions = one["showcase"]["state"], one["conditions"]
    if not (one["declared"] or any((conditions[name] or {}).get("declared") is not None for name in SHOWN)):
        return Verdict("unknown", word("sc-state-unknown"), ICONS["unknown"], [word("sc-exposure-unknown")])
    said = word(f"state-{state}")
    if state == "none":
        return Verdict(state, said, ICONS[state], [word("sc-not-exposed")])
    criteria = {name: conditions[name] or {} for name in CRITERIA}
    sides = [lens for lens in LENSES if any(values.get(lens) is not None for values in criteria.values())]
    if len(sides) == 1 and state != "unproven":
        said = word(f"alone-{sides[0]}", said=said)
    kept_back = bool(result["sealed"] or one["sealed"])
    why = _grounds(one["showcase"], sides, kept_back=kept_back)
    for lens in sides if len(sides) > 1 else ():
        if names := [name for name, values in criteria.items() if _only(values) == lens]:
            why.append(word(f"only-{lens}", conditions=_listed(names)))
    return Verdict(state, said, ICONS[state], why)


def _grounds(show: dict[str, Any], sides: list[str], *, kept_back: bool) -> list[str]:
    """Why an exposed axis is in its state, by what these sides say of the criteria; ``kept_back``: not all is shown."""
    lines = [
        word(key, conditions=_listed(names))
        for key, names in (("sc-missing", show["failing"]), ("sc-unproven", show["unproven"]))
        if names
    ]
    if show["state"] == "sound":
        alone = f"-{sides[0]}" if len(sides) == 1 else ""
        lines.append(word(f"sc-all-given{alone}{'-sealed' if kept_back and alone == '-declared' else ''}"))
    if show["state"] == "emerging":
        lines.append(word("sc-young", n=frame.matrix().thresholds.emerging_months))
    if show["index"] is not None and show["failing"] and len(sides) > 1 and not kept_back:
        lines.append(word("sc-index", n=number(show["index"], frame.language(), digits=0)))
    return lines


def _listed(conditions: Sequence[str]) -> str:
    """Conditions inside a sentence."""
    return ", ".join(
        frame.matrix().title("conditions", name, frame.language()).lower() for name in conditions
    )


def _only(values: dict[str, Any]) -> str | None:
    """The one side that a condition is known from; none when both or neither say something."""
    known = [lens for lens in LENSES if values.get(lens) is not None]
    return known[0] if len(known) == 1 else None


def _showcase(result: dict[str, Any]) -> None:
    lang, matrix = frame.language(), frame.matrix()
    frame.heading(word("section-showcase"), 2)
    entries = []
    for axis in (id_ for id_, one in result["axes"].items() if one["applicable"]):
        told = verdict(result, axis)
        entries.append(
            f'<li class="fr-state-{told.state}"><span class="fr-axis">{escape(matrix.title("axes", axis, lang))}</span>'
            f'<b><span aria-hidden="true">{told.sign} </span>{escape(told.said)}</b>'
            + "".join(f"<small>{escape(line)}</small>" for line in told.why)
            + "</li>"
        )
    st.html(f'<ul class="fr-states">{"".join(entries)}</ul>')
    frame.paragraph(word("section-showcase-why"), "small")


def _findings(
    campaign: Campaign, questionnaire: Questionnaire, result: dict[str, Any], trace: list[dict[str, Any]]
) -> None:
    from dashboard import showcase  # noqa: PLC0415  # it draws on this module

    case = showcase.Case(campaign, questionnaire, result, trace)
    lang, rules = frame.language(), load_rulebook()
    frame.heading(word("section-findings"), 2)
    if not result["findings"]:
        frame.paragraph(word("findings-none"), "small")
        return
    grouped: dict[str, list[dict[str, Any]]] = {}
    for found in sorted(result["findings"], key=lambda one: SEVERITIES.index(one["severity"])):
        grouped.setdefault(found["rule"], []).append(found)
    cards = []
    for id_, group in grouped.items():
        rule, severity = rules[id_], group[0]["severity"]
        lines = []
        for found in group:
            # a flag alone says nothing that the sentence above has not said; beside a figure it is left out
            figures = [one for one in found["because"] if not isinstance(one.get("value"), bool)]
            if found["axis"] and not any(one["fact"].startswith(f"{found['axis']}.") for one in figures):
                figures = found["because"]  # or the axis would not be named
            facts = [showcase.fact_line(case, one) for one in figures or found["because"]]
            lines += [f"<li>{escape(fact)}</li>" for fact in dict.fromkeys(facts)]
        cards.append(
            f'<div class="fr-finding fr-sev-{severity}"><h3 class="fr-h3">{escape(rule.title[lang])} '
            f'<span class="fr-tag">{escape(word("severity-" + severity))}</span></h3>'
            f"<dl><dt>{escape(word('because'))}</dt><dd>{escape(rule.because[lang])}"
            f'<ul class="fr-explain">{"".join(lines)}</ul></dd>'
            f"<dt>{escape(word('to-do'))}</dt><dd>{escape(rule.advice[lang])}</dd>"
            f"<dt>{escape(word('clears'))}</dt><dd>{escape(rule.clears_when[lang])}</dd></dl></div>"
        )
    shown_first = len(cards) if len(cards) <= FINDINGS + 1 else FINDINGS
    for card in cards[:shown_first]:
        st.html(card)
    if rest := cards[shown_first:]:
        more = escape(word("findings-more", n=len(rest)))
        st.html(f'<details class="fr-more"><summary>{more}</summary>{"".join(rest)}</details>')


def _lenses(result: dict[str, Any]) -> None:
    """Every position with its bounds: the table behind the figure."""
    lang, matrix, rules = frame.language(), frame.matrix(), load_rulebook()
    frame.heading(word("section-lenses"), 2)
    frame.paragraph(word("lenses-note"), "small")
    lenses = [(lens.id, lens.title[lang]) for lens in matrix.lenses]
    columns = [name for _, name in lenses] + [word("retained"), word("decided-by")]
    rows = []
    for axis in matrix.axes:
        one = result["axes"][axis.id]
        kept = one["retained"]
        told = {lens: _range(one[lens]) for lens, _ in lenses} | {"retained": _range(kept)}
        if result["sealed"] or one["sealed"]:
            why = word("sc-sealed" if result["sealed"] == "open" else "sc-withheld")
            told["retained"] = why
            if told["experienced"] == frame.NOTHING and (result["sealed"] or one["withheld"]):
                told["experienced"] = why
        by = matrix.title("lenses", kept["decided_by"], lang) if kept else frame.NOTHING
        if kept and kept["ceilings"]:
            by += " · " + ", ".join(rules[id_].title[lang] for id_ in kept["ceilings"])
        rows.append((axis.title[lang], [*told.values(), by]))
    st.html(table(word("trace-axis"), columns, rows))


def _range(lens: dict[str, Any] | None) -> str:
    lang = frame.language()
    if lens is None or lens["position"] is None:
        return frame.NOTHING
    low = number(int(lens["position"] * 10 + 1e-6) / 10, lang)
    if lens["complete"]:
        return low
    return word("position-range", low=low, high=number(int(lens["high"] * 10 + 1e-6) / 10, lang))


def _trace(
    campaign: Campaign, questionnaire: Questionnaire, result: dict[str, Any], trace: list[dict[str, Any]]
) -> None:
    """From any cell down to the answers that made it."""
    lang, matrix = frame.language(), frame.matrix()
    with st.container(key="trace"):
        frame.heading(word("section-trace"), 2)
        frame.paragraph(word("trace-intro"), "small")
        axes = [a for a in matrix.ids("axes") if result["axes"][a]["applicable"]]
        if not axes:
            return
        left, right = st.columns(2)
        names = {id_: matrix.title("axes", id_, lang) for id_ in axes}
        axis = frame.pick(left.selectbox, word("trace-axis"), names, "trace-axis", _widest(result, axes))
        steps = {one.id: f"{one.number}. {one.title[lang]}" for one in matrix.levels}
        blocking = _blocking(result["axes"][axis])
        level = frame.pick(right.selectbox, word("trace-level"), steps, f"trace-level-{axis}", blocking)
        said, few = _answers_given(campaign, questionnaire), frozenset(result["withheld"])
        for lens in shown(campaign).lenses:
            rows = [r for r in trace if r["axis"] == axis and r["level"] == level and r["lens"] == lens]
            hidden = few if lens == "experienced" else frozenset[str]()
            _trace_lens(questionnaire, lens, level, rows, said, few=hidden)
        if result["sealed"] == "few":
            frame.note("trace-hidden", "◇", n=matrix.thresholds.n_min)


def _widest(result: dict[str, Any], axes: list[str]) -> str:
    """The axis where both sides differ most: the one the headline is about."""
    return max(axes, key=lambda axis: result["axes"][axis]["gap"] or 0)


def _blocking(one: dict[str, Any]) -> str:
    """The first level that the deciding lens has not attained, or the last one."""
    lens = one[one["retained"]["decided_by"]] if one["retained"] else one["declared"] or one["experienced"]
    levels = frame.matrix().ids("levels")
    return next(
        (id_ for id_ in levels if lens and (lens["cells"].get(id_, {}).get("low") or 0) < 1 - EPSILON),
        levels[-1],
    )


def _answers_given(campaign: Campaign, questionnaire: Questionnaire) -> dict[tuple[str, str], dict[str, int]]:
    """How often each option was given, by lens and item, in the order of the scale."""
    counts: dict[tuple[str, str], dict[str, int]] = {}
    for row in answers_shown(campaign).select(["role", "item", "answer"]).to_pylist():
        own = counts.setdefault((frame.lens_of(row["role"]), row["item"]), {})
        own[row["answer"]] = own.get(row["answer"], 0) + 1
    ordered = {}
    for (lens, item), own in counts.items():
        scale = [option.id for option in questionnaire.options(item, lens)]
        ordered[lens, item] = {id_: own[id_] for id_ in [*reversed(scale), "dk", "na"] if id_ in own}
    return ordered


def _trace_lens(
    questionnaire: Questionnaire,
    lens: str,
    level: str,
    rows: list[dict[str, Any]],
    said: dict[tuple[str, str], dict[str, int]],
    *,
    few: frozenset[str],
) -> None:
    """What one side said in a cell, question by question; of a question in ``few`` nothing, nor of the cell then."""
    lang, matrix = frame.language(), frame.matrix()
    name = matrix.title("lenses", lens, lang)
    if not any(row["role"] for row in rows):
        frame.paragraph(word("trace-none", lens=name))
        return
    items: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        items.setdefault(row["item"], []).append(row)
    low, high = (rows[0][end] or 0.0 for end in ("low", "high"))
    withheld = not few.isdisjoint(items)
    shown = (
        word("sc-withheld")
        if withheld
        else percent(low, lang)
        if high - low < EPSILON
        else word("position-range", low=percent(low, lang), high=percent(high, lang))
    )
    thresholds = matrix.thresholds
    frame.paragraph(
        word(
            "trace-cell",
            lens=name,
            low=shown,
            n=len(items),
            tau=number(thresholds.tau, lang, digits=2),
            kappa=number(thresholds.kappa[matrix.number_of[level] - 1], lang, digits=2),
        )
    )
    body = [
        _trace_row(questionnaire, item, own, lens, said.get((lens, item), {}), hidden=item in few)
        for item, own in items.items()
    ]
    heads = [word("trace-x"), word("trace-role"), word("trace-answers")]
    st.html(table(word("trace-question"), heads, body, raw=True))
    if withheld:
        frame.paragraph(word("sc-few", n=thresholds.n_min), "small")


def _too_few(row: dict[str, Any]) -> bool:
    """Whether what one role said on an item is of some people, but too few to be shown."""
    people: int = row["n"] or row["dk"] + row["na"]
    return 0 < people < frame.matrix().thresholds.n_min


def _trace_row(
    questionnaire: Questionnaire,
    item: str,
    rows: list[dict[str, Any]],
    lens: str,
    said: dict[str, int],
    *,
    hidden: bool,
) -> tuple[str, list[str]]:
    lang, matrix = frame.language(), frame.matrix()
    entry = questionnaire.item(item)
    ask = entry.asked_of(lens)
    question = escape(ask.text[lang] if ask else item)
    if rows[0]["core"]:
        question += f"<small>{escape(word('trace-key'))}</small>"
    if hidden:
        return question, [escape(word("sc-withheld")), "", ""]
    x = rows[0]["x"]
    value = word("trace-unknown") if x is None else number(x, lang, digits=2)
    if lens == "experienced" and any(map(_too_few, rows)):
        # with the count of each option, the mean of the other roles would give away the small one's
        people = sum(row["n"] for row in rows)
        return question, [escape(value), escape(word("sc-all-n", n=people)) if people else "", ""]
    roles = []
    for row in rows:
        if row["role"] is None:
            continue
        role = matrix.title("roles", row["role"], lang)
        if row["mean"] is None:
            roles.append(word("trace-role-silent", role=role))
        else:
            mean = number(row["mean"], lang, digits=2)
            roles.append(word("trace-role-mean", role=role, mean=mean, n=row["n"]))
    texts = {option.id: option.text[lang] for option in questionnaire.options(item, lens)}
    given = [word("times", n=n, text=texts[id_]) for id_, n in said.items() if id_ in texts]
    given += [word(f"trace-{id_}", n=said[id_]) for id_ in ("dk", "na") if id_ in said]
    lines = "<br>".join
    return question, [escape(value), lines(map(escape, roles)), lines(map(escape, given))]


def _unjudged(
    campaign: Campaign, questionnaire: Questionnaire, result: dict[str, Any], trace: list[dict[str, Any]]
) -> None:
    from dashboard import showcase  # noqa: PLC0415  # it draws on this module

    if not result["unjudged"]:
        return
    case = showcase.Case(campaign, questionnaire, result, trace)
    lang, matrix, rules = frame.language(), frame.matrix(), load_rulebook()
    with st.expander(word("section-unjudged", n=len(result["unjudged"])), key="unjudged"):
        frame.paragraph(word("unjudged-why"), "small")
        lines = []
        for one in result["unjudged"]:
            title = rules[one["rule"]].title[lang]
            if one.get("axis"):
                title = word("finding-axis", title=title, axis=matrix.title("axes", one["axis"], lang))
            missing = word(
                "unjudged-missing",
                facts="; ".join(showcase.fact_name(case, fact) for fact in one["missing"]),
            )
            lines.append(f"<li>{escape(title)} ({escape(missing)})</li>")
        st.html(f'<ul class="fr-explain">{"".join(lines)}</ul>')


def _places(campaign: Campaign, questionnaire: Questionnaire) -> None:
    """For a reading: what the text says and where, question by question."""
    lang = frame.language()
    frame.heading(word("section-places"), 2)
    frame.paragraph(word("places-note"), "small")
    rows, silent = [], 0
    for row in answers_shown(campaign).to_pylist():
        if row["answer"] == "dk":
            silent += 1
            continue
        lens = frame.lens_of(row["role"])
        ask = questionnaire.item(row["item"]).asked_of(lens)
        texts = {option.id: option.text[lang] for option in questionnaire.options(row["item"], lens)}
        said = texts.get(row["answer"]) or f"{word('option-na')} ({row['reason']})"
        rows.append((ask.text[lang] if ask else row["item"], [said, row["comment"]]))
    if rows:
        st.html(table(word("trace-question"), [word("answer"), word("place")], rows))
    if silent:
        frame.paragraph(word("places-silent", n=silent), "small")


def _withheld(result: dict[str, Any]) -> list[str]:
    """The line that says what of the patients' side is not shown because too few answered, if anything."""
    matrix, lang, n_min = frame.matrix(), frame.language(), frame.matrix().thresholds.n_min
    if result["sealed"] == "few":
        return [word("export-few", n=n_min)]
    named = []
    for axis in (id_ for id_, one in result["axes"].items() if one.get("sealed")):
        one, title = result["axes"][axis], matrix.title("axes", axis, lang)
        levels = [matrix.title("levels", level, lang) for level in one["withheld"]]
        named.append(f"{title} ({', '.join(levels)})" if one["experienced"] and levels else title)
    return [word("export-few-axes", n=n_min, axes=", ".join(named))] if named else []


def _comments(campaign: Campaign, questionnaire: Questionnaire, result: dict[str, Any]) -> None:
    """What both sides wrote beside their answers, once it is closed, to whoever may read it; never who wrote what."""
    if campaign.state != "closed" or not access.person().may("comments", campaign.institution):
        return
    lang, matrix = frame.language(), frame.matrix()
    written = _written(campaign, frozenset(result["withheld"]))
    axes: dict[str, list[str]] = {}
    for item, lens in ((item, lens) for item in questionnaire.form(campaign.form) for lens in LENSES):
        ask, own = item.asked_of(lens), written.get((item.id, lens))
        if not ask or not own:
            continue
        side = word(f"side-{lens}")
        lines = "".join(
            f"<li>{'<br>'.join(map(escape, text.splitlines()))} "
            f"<small>{escape(matrix.title('roles', role, lang) if role else side)}</small></li>"
            for role, text in own
        )
        axes.setdefault(item.axis, []).append(
            f'<p class="fr-label">{escape(ask.text[lang])}</p><ul class="fr-comments">{lines}</ul>'
        )
    if not axes:
        frame.paragraph(word("comments-none"), "small")
        return
    shown_by_axis = "".join(
        f'<h3 class="fr-h3">{escape(matrix.title("axes", axis, lang))}</h3>{"".join(axes[axis])}'
        for axis in matrix.ids("axes")
        if axis in axes
    )
    why = escape(word("comments-why", n=matrix.thresholds.n_min))
    st.html(
        f'<details class="fr-more fr-screen"><summary>{escape(word("section-comments"))}</summary>'
        f'<p class="fr-small">{why}</p>{shown_by_axis}</details>'
    )


def _written(campaign: Campaign, few: frozenset[str]) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """The comments on each item by lens, each with its role, in an order by which those of one person do not meet.

    No role is told of an item and lens on which some role is of fewer than ``n_min`` people: the others would give it
    away. Of the items in ``few`` patients' comments are left out.
    """
    texts: dict[tuple[str, str], list[tuple[str, str]]] = {}
    people: dict[tuple[str, str], dict[str, set[str]]] = {}
    for row in answers_shown(campaign).select(["item", "role", "respondent", "comment"]).to_pylist():
        at = row["item"], frame.lens_of(row["role"])
        people.setdefault(at, {}).setdefault(row["role"], set()).add(row["respondent"])
        if row["comment"].strip() and not (at[1] == "experienced" and row["item"] in few):
            texts.setdefault(at, []).append((row["role"], row["comment"].strip()))
    n_min = frame.matrix().thresholds.n_min
    told = {}
    for at, own in texts.items():
        named = all(len(each) >= n_min for each in people[at].values())
        order = sorted(own, key=lambda one: hashlib.sha256(f"{campaign.id}{at}{one[1]}".encode()).digest())
        told[at] = [(role if named else "", text) for role, text in order]
    return told


def _downloads(campaign: Campaign, result: dict[str, Any]) -> None:
    lang, title, withheld = frame.language(), _name(campaign), _withheld(result)
    stem = f"{campaign.year}_{_ascii(title)}_{word('file-figure')}_{lang}"
    frame.heading(word("section-downloads"), 2)
    for line in withheld:
        frame.paragraph(line, "small")
    with st.container(horizontal=True, key="downloads"):
        st.download_button(
            word("download-svg"),
            matrix_svg(
                result,
                frame.matrix(),
                lang,
                title=title,
                subtitle=_marked(campaign, subtitle(campaign, result)),
                targets=_aims(campaign),
                reasons=campaign.out_of_scope,
                lines=[*withheld, *_caption(campaign)],
            ),
            file_name=f"{stem}.svg",
            mime="image/svg+xml",
            key="download-svg",
            on_click="ignore",
        )
        st.download_button(
            word("download-csv"),
            (matrix_csv(result, frame.matrix(), lang) + _remarks(campaign, withheld)).encode("utf-8-sig"),
            file_name=f"{stem}.csv",
            mime="text/csv",
            key="download-csv",
            on_click="ignore",
        )


def _caption(campaign: Campaign) -> list[str]:
    """The facts of the cover as lines, for what travels."""
    if campaign.kind == "reading":
        return []
    return [word("fact-line", label=label, text=text) for label, text in facts(campaign)]


def _remarks(campaign: Campaign, withheld: Sequence[str] = ()) -> str:
    """What is withheld and the same lines after a table, each marked as no row of it."""
    out = io.StringIO()
    told = [_marked(campaign, _name(campaign)), *withheld, *_caption(campaign)]
    lines = [f"# {line}" for line in told]
    csv.writer(out, delimiter=";", lineterminator="\r\n").writerows([line] for line in lines)
    return out.getvalue()


def _marked(campaign: Campaign, text: str) -> str:
    """A figure that travels says itself that it is an example or a reading."""
    if campaign.kind == "reading":
        return f"{text} · {word('reading')}"
    return f"{text} · {word('synthetic')}" if campaign.synthetic else text


def _ascii(text: str) -> str:
    """Text as a part of a file name that sorts and travels."""
    flat = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", flat).strip("-")[:60]


def table(first: str, columns: list[str], rows: list[tuple[str, list[str]]], *, raw: bool = False) -> str:
    """A plain table with row headings, stacked on a phone; ``raw`` cells are already HTML."""
    quote = (lambda text: text) if raw else escape
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in [first, *columns])
    body = "".join(
        f'<tr><th scope="row">{quote(head)}</th>'
        + "".join(
            f'<td data-name="{escape(name)}">{quote(cell)}</td>'
            for name, cell in zip(columns, cells, strict=True)
        )
        + "</tr>"
        for head, cells in rows
    )
    return f'<table class="fr-table fr-stack"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>'
