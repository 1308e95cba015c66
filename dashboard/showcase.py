"""Showcase: on each axis, what is shown beside what is given; what was found, why, and what clears it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard import frame
from dashboard.results import (
    EPSILON,
    LENSES,
    SEVERITIES,
    SHOWN,
    basis,
    cover,
    kept_back,
    missing_side,
    scored,
    subtitle,
    table,
    verdict,
)
from data import Campaign
from matrix import load_sources, number, percent
from matrix.types import Citation
from questionnaires import Item, Questionnaire
from scoring import CRITERIA, STATES, Rule, load_rulebook

word = frame.word
GROUPS = {
    "shown": SHOWN,
    "given": CRITERIA,
    "brakes": ("culture", "readiness", "status"),
}
"""What is shown, what is given and what holds back, by condition."""
POSITIONS = (*LENSES, "documented", "retained")
GRAVE = ("critical", "high")
"""Findings that are never folded away."""
RISKS = ("critical", "high")
"""States that make the headline."""
SEVERITY_ICONS = {"critical": "▲▲", "high": "▲", "medium": "●", "low": "○"}
SIGNS = {"yes": "✓", "no": "▽", "alone": "◔", "unknown": "?"}
LISTED = 8
"""Questions told behind a finding at most: the ones that weigh most."""
MINUS = "\N{MINUS SIGN}"


def page() -> None:
    """Draw the page."""
    st.html(f"<style>{Path(__file__).with_suffix('.css').read_text(encoding='utf-8')}</style>")
    every = frame.campaigns()
    campaign = frame.choose(every) if every else None
    if campaign is None:
        frame.empty("sc-empty", None)
        return
    questionnaire = frame.questionnaire_of(campaign)
    if questionnaire is None:
        return
    result, trace = scored(campaign)
    if campaign.kind == "reading":
        _top(word("section-showcase"), campaign, result)
        frame.banner(campaign)
        frame.paragraph(word("sc-reading"))
    elif not any(result["respondents"].values()):
        frame.empty("sc-empty", campaign)
        kept_back(campaign)
    else:
        _judged(Case(campaign, questionnaire, result, trace))


def _top(title: str, campaign: Campaign, result: dict[str, Any]) -> None:
    frame.heading(title)
    st.html(f'<p class="fr-small">{escape(subtitle(campaign, result))}{frame.tag(campaign)}</p>')


def _judged(case: Case) -> None:
    """The page of an assessment that somebody answered."""
    result = case.result
    _top(_headline(case), case.campaign, result)
    cover(case.campaign)
    missing_side(case.campaign, result)
    frame.paragraph(word("sc-lead"))
    found = _by_place(case)
    rank = {axis: place for place, axis in enumerate(reversed(("unknown", *STATES)))}
    axes = sorted(case.axes, key=lambda axis: rank[verdict(result, axis).state])
    st.html(_overview(case, axes, found))
    basis(case.campaign)
    silent = [axis for axis in axes if not found.get(axis) and case.silent(case.on(axis))]
    for axis in (one for one in axes if one not in silent):
        st.html(_axis(case, axis, found.get(axis, [])))
    if silent:
        st.html(_nothing(silent))
    st.html(_legend(case))
    st.html(_safeguards(case, found.get("safeguard", [])))
    if found.get(""):
        st.html(f'<section class="sc-axis">{_h2(word("sc-overall"))}{_folded(case, found[""])}</section>')
    st.html(_unjudged(case))


def _headline(case: Case) -> str:
    """One sentence: the gravest thing the answers establish, and whether one side alone says it."""
    lang, matrix, result = frame.language(), frame.matrix(), case.result
    states = {axis: verdict(result, axis).state for axis in case.axes}
    for key, wanted in (("risk", RISKS), ("watch", ("watch",)), ("unproven", ("unproven",))):
        named = [matrix.title("axes", axis, lang) for axis, state in states.items() if state in wanted]
        if named:
            said = word(f"sc-head-{key}", axes=", ".join(named))
            return word("alone-declared", said=said) if result["sealed"] else said
    if result["sealed"]:
        return word("sc-head-sealed")
    if not result["respondents"]["experienced"]:
        return word("sc-head-no-patients")
    apart = [axis for axis in case.axes if not all(result["axes"][axis][lens] for lens in LENSES)]
    if apart:
        return word("sc-head-part", axes=", ".join(matrix.title("axes", axis, lang) for axis in apart))
    return word("sc-head-none")


# --- what is known of an assessment -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """An assessment with its score and its trace, and what may be shown of it."""

    campaign: Campaign
    questionnaire: Questionnaire
    result: dict[str, Any]
    trace: list[dict[str, Any]]

    @cached_property
    def axes(self) -> list[str]:
        """The axes that apply here, in the matrix's order."""
        return [axis for axis, one in self.result["axes"].items() if one["applicable"]]

    @cached_property
    def items(self) -> dict[str, Item]:
        """The items of the form, by id."""
        return {item.id: item for item in self.questionnaire.form(self.campaign.form)}

    @cached_property
    def said(self) -> dict[tuple[str, str], list[dict[str, Any]]]:
        """Rows of the trace by item and lens; an item judged not applicable by all of a lens has none."""
        rows: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for row in self.trace:
            rows.setdefault((row["item"], row["lens"]), []).append(row)
        return rows

    def x(self, item: str, lens: str) -> float | None:
        """What a lens says on an item, 0 to 1."""
        rows = self.said.get((item, lens))
        return rows[0]["x"] if rows else None

    def withheld(self, items: Iterable[str]) -> bool:
        """Whether patients said something on one of these items, but too few of them for it to be shown."""
        return not set(items).isdisjoint(self.result["withheld"])

    def carrying(self, axis: str, condition: str) -> list[str]:
        """Items that a condition's index on an axis is made of: nothing above level 3 that is not claimed."""
        matrix, declared = frame.matrix(), self.result["axes"][axis]["declared"]
        claim = max(matrix.thresholds.claimed_level, (declared or {}).get("level") or 0)
        return [
            item.id
            for item in self.items.values()
            if item.axis == axis
            and item.condition == condition
            and (item.level is None or matrix.number_of[item.level] <= claim)
        ]

    def on(self, axis: str) -> list[str]:
        """Items of an axis."""
        return [item.id for item in self.items.values() if item.axis == axis]

    def rung(self, axis: str, level: str) -> list[str]:
        """Items of a cell."""
        return [item.id for item in self.items.values() if item.axis == axis and item.level == level]

    def silent(self, items: Iterable[str]) -> bool:
        """Whether nobody whose answers may be shown said anything on these items."""
        rows = (self.said.get((item, lens), []) for item in items for lens in LENSES)
        return not any(row["role"] for own in rows for row in own)

    def asked(self, items: Iterable[str], lens: str) -> bool:
        """Whether any of these items is put to a lens."""
        return any(self.items[item].asked_of(lens) for item in items)


def _by_place(case: Case) -> dict[str, list[dict[str, Any]]]:
    """Findings by axis, with ``safeguard`` and, for the assessment itself, the empty name; gravest first."""
    rules = load_rulebook()
    places: dict[str, list[dict[str, Any]]] = {}
    for found in sorted(case.result["findings"], key=lambda one: SEVERITIES.index(one["severity"])):
        place = _place(case, found["axis"], (one["fact"] for one in found["because"]))
        if rules[found["rule"]].kind == "safeguard":
            place = "safeguard"
        places.setdefault(place, []).append(found)
    return places


def _place(case: Case, axis: str | None, facts: Iterable[str]) -> str:
    """The axis a rule speaks of, told by its facts when it is not judged per axis; empty when there is not one."""
    if axis:
        return axis
    named = {_axis_of(case, fact) for fact in facts}
    return named.pop() or "" if len(named) == 1 else ""


def _axis_of(case: Case, fact: str) -> str | None:
    if fact.startswith("item."):
        return case.questionnaire.item(fact.removeprefix("item.").rpartition(".")[0]).axis
    first = fact.partition(".")[0]
    return first if first in frame.matrix().ids("axes") else None


# --- the axes ---------------------------------------------------------------------------------------------------


def _overview(case: Case, axes: list[str], found: Mapping[str, list[dict[str, Any]]]) -> str:
    """A card per axis: its state, and how much was found."""
    lang, matrix = frame.language(), frame.matrix()
    cards = []
    for axis in axes:
        told = verdict(case.result, axis)
        grave = sum(one["severity"] in GRAVE for one in found.get(axis, ()))
        other = len(found.get(axis, ())) - grave
        counts = [_count(key, n) for key, n in (("sc-counts", grave), ("sc-counts-other", other)) if n]
        cards.append(
            f'<li class="fr-state-{told.state}"><a href="#axis-{axis}">{escape(matrix.title("axes", axis, lang))}</a>'
            f"<b>{_icon(told.sign)}{escape(told.said)}</b>"
            f"<small>{escape(' · '.join(counts) or word('sc-counts-none'))}</small></li>"
        )
    return f'{_h2(word("sc-states"))}<ul class="fr-states sc-states">{"".join(cards)}</ul>{_off(case)}'


def _off(case: Case) -> str:
    """The axes left out, and why."""
    lang, matrix = frame.language(), frame.matrix()
    lines = []
    for axis in (one for one in case.result["axes"] if one not in case.axes):
        title, reason = matrix.title("axes", axis, lang), case.campaign.out_of_scope.get(axis)
        lines.append(word("sc-off-why", axis=title, reason=reason) if reason else word("sc-off", axis=title))
    return "".join(f'<p class="fr-small">{escape(line)}</p>' for line in lines)


def _axis(case: Case, axis: str, found: list[dict[str, Any]]) -> str:
    """All that is said of one axis."""
    lang, told = frame.language(), verdict(case.result, axis)
    title = word("sc-axis", axis=frame.matrix().title("axes", axis, lang), state=told.said)
    groups = "".join(_group(case, axis, name) for name in GROUPS)
    return (
        f'<section class="sc-axis fr-state-{told.state}" id="axis-{axis}">{_h2(title, _icon(told.sign))}'
        f'<p class="fr-text">{escape(" ".join(_why(case, axis)))}</p>'
        f'<div class="sc-groups">{groups}</div>{_meanings(axis)}{_folded(case, found)}</section>'
    )


def _nothing(axes: list[str]) -> str:
    """One line for all the axes on which there is no answer to show; their cards lead here."""
    lang, title = frame.language(), frame.matrix().title
    named = (f'<b id="axis-{axis}">{escape(title("axes", axis, lang))}</b>' for axis in axes)
    return f'<section class="sc-axis"><p class="fr-text">{escape(word("sc-silent"))} {", ".join(named)}.</p></section>'


def _why(case: Case, axis: str) -> list[str]:
    """The state of an axis in sentences, with what bounds its level."""
    one, rules = case.result["axes"][axis], load_rulebook()
    capped = (one["retained"] or {}).get("ceilings", ())
    lines = [word("sc-exposed")] if one["exposure"] else []
    lines += verdict(case.result, axis).why
    if one["gap"] is not None and abs(one["gap"]) >= frame.matrix().thresholds.gap - EPSILON:
        lines.append(word("sc-gap", gap=_signed(one["gap"])))
    return lines + [f"{rules[id_].title[frame.language()]}." for id_ in capped]


def _group(case: Case, axis: str, name: str) -> str:
    """A table of the conditions of one group: each side, and the verdict in words; one line when nothing is known."""
    lang, matrix = frame.language(), frame.matrix()
    behind = [item for condition in GROUPS[name] for item in case.carrying(axis, condition)]
    asked = any(case.asked(behind, lens) for lens in LENSES)
    if case.silent(behind) and not (asked and case.result["sealed"]):
        line = escape(word("sc-group-silent" if asked else "sc-group-not-asked"))
        return (
            f'<div><p class="fr-label">{escape(word(f"sc-{name}"))}</p><p class="fr-small">{line}</p></div>'
        )
    half = matrix.thresholds.exposure if name == "shown" else matrix.thresholds.condition
    rows = []
    for condition in GROUPS[name]:
        values = case.result["axes"][axis]["conditions"][condition] or {}
        items = case.carrying(axis, condition)
        counted = values.get("declared" if name == "shown" else "combined")
        met = "unknown" if counted is None else "yes" if counted >= half - EPSILON else "no"
        said, sign = _status(name, met, exposed=case.result["axes"][axis]["exposure"])
        spoken = [lens for lens in LENSES if values.get(lens) is not None]
        if name != "shown" and len(spoken) == 1 and all(case.asked(items, lens) for lens in LENSES):
            said = word(f"sc-by-{spoken[0]}", said=said)
            sign = SIGNS["alone"] if met == "yes" else sign
        cells = "".join(
            f'<td data-name="{escape(word(f"side-{lens}"))}">{_level(case, items, lens, values.get(lens))}</td>'
            for lens in LENSES
        )
        rows.append(
            f'<tr class="sc-{name}-{met}"><th scope="row">{escape(matrix.title("conditions", condition, lang))}</th>'
            f'{cells}<td class="sc-verdict">{_icon(sign)}{escape(said)}</td></tr>'
        )
    heads = "".join(f'<th scope="col">{escape(word(f"side-{lens}"))}</th>' for lens in LENSES)
    return (
        f'<table class="fr-table sc-group"><caption>{escape(word(f"sc-{name}"))}</caption><thead><tr>'
        f'<th scope="col">{escape(word("sc-condition"))}</th>{heads}<th scope="col">{escape(word("sc-status"))}</th>'
        f"</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )


def _status(group: str, met: str, *, exposed: bool) -> tuple[str, str]:
    """What is said of a condition, and its sign; where nothing is claimed, nothing is called missing."""
    if met == "unknown":
        return word("sc-unknown"), SIGNS["unknown"]
    if group == "shown":
        return word(f"sc-shown-{met}"), "●" if met == "yes" else "○"
    if met == "no" and not exposed:
        return word("sc-low"), "○"
    return word(f"sc-{group}-{met}"), SIGNS[met]


def _level(case: Case, items: list[str], lens: str, value: float | None) -> str:
    """One side's figure on a condition, drawn and written, or why there is none."""
    if value is None:
        return f'<span class="sc-none">{escape(_silent(case, items, lens))}</span>'
    shown = number(value, frame.language(), digits=2)
    return (
        f'<span class="sc-bar sc-{lens}" style="--x:{value:.0%}" aria-hidden="true"></span>'
        f'<span class="sc-number">{shown}</span>'
    )


def _silent(case: Case, items: list[str], lens: str) -> str:
    """Why nothing of what a side says on items of an axis is told."""
    asked = case.asked([item for item in items if item in case.items], lens)
    if asked and lens == "experienced":
        if case.result["sealed"] == "few" or case.withheld(items):
            return word("sc-withheld")
        if case.result["sealed"]:
            return word("sc-sealed")
    return word("sc-no-answer" if asked else "sc-not-asked")


def _meanings(axis: str) -> str:
    """What each condition means on this axis."""
    lang = frame.language()
    known = {one.id: one for one in frame.matrix().conditions}
    lines = "".join(
        f"<dt>{escape(known[name].title[lang])}</dt><dd>{escape(known[name].meaning[axis][lang])}</dd>"
        for names in GROUPS.values()
        for name in names
        if axis in known[name].meaning
    )
    return _fold(word("sc-meaning"), f'<dl class="sc-meanings">{lines}</dl>', "sc-quiet sc-screen")


def _legend(case: Case) -> str:
    lines = [word("sc-scale")]
    if case.result["sealed"] == "few" or case.withheld(case.items):
        lines.append(word("sc-few", n=frame.matrix().thresholds.n_min))
    return "".join(f'<p class="fr-small">{escape(line)}</p>' for line in lines)


# --- findings ---------------------------------------------------------------------------------------------------


def _folded(case: Case, found: list[dict[str, Any]]) -> str:
    """Findings: the grave ones in full view, the others folded away; in print all are open."""
    if not found:
        return f'<p class="fr-small">{escape(word("sc-findings-none"))}</p>'
    grave = [one for one in found if one["severity"] in GRAVE]
    others = found[len(grave) :]
    html = "".join(_finding(case, one) for one in grave)
    if others:
        html += _fold(_count("sc-more", len(others)), "".join(_finding(case, one) for one in others))
    return html


def _finding(case: Case, found: dict[str, Any]) -> str:
    """One finding: because, the answers, what to do, what clears it, where it comes from."""
    lang, rule, severity = frame.language(), load_rulebook()[found["rule"]], found["severity"]
    facts = "".join(f"<li>{escape(fact_line(case, one))}</li>" for one in found["because"])
    parts = [
        ("because", f'{escape(rule.because[lang])}<ul class="fr-explain">{facts}</ul>{_behind(case, found)}'),
        ("to-do", escape(rule.advice[lang])),
        ("clears", escape(rule.clears_when[lang])),
        ("sc-source", citations(rule.sources)),
    ]
    if rule.jurisdiction:
        parts.append(("sc-reach", escape(_reach(rule, advisory=bool(found.get("advisory"))))))
    listed = "".join(f"<dt>{escape(word(key))}</dt><dd>{html}</dd>" for key, html in parts)
    return (
        f'<article class="fr-finding fr-sev-{severity}"><h3 class="fr-h3">{escape(rule.title[lang])} '
        f'<span class="fr-tag">{_icon(SEVERITY_ICONS[severity])}{escape(word("severity-" + severity))}</span></h3>'
        f"<dl>{listed}</dl></article>"
    )


def citations(sources: Iterable[Citation]) -> str:
    """Where a rule or a question comes from, as an HTML list: authors, year, title, link and place."""
    known, lines = load_sources(), []
    for cited in sources:
        one = known[cited.id]
        key = "sc-source-line" if one.year else "sc-source-undated"
        title = one.title if one.title[-1] in ".?!" else f"{one.title}."
        line = escape(word(key, authors=one.authors.rstrip("."), year=one.year or "", title=title))
        link = f"https://doi.org/{one.doi}" if one.doi else one.url
        if link:
            shown = link.removeprefix("https://").removeprefix("http://").rstrip("/")
            line += f' <a href="{escape(link)}" target="_blank" rel="noopener">{escape(shown)}</a>'
        if cited.where:
            line += f" <span>{escape(word('sc-place', where=cited.where))}</span>"
        lines.append(f"<li>{line}</li>")
    return f'<ul class="fr-explain">{"".join(lines)}</ul>'


def _reach(rule: Rule, *, advisory: bool) -> str:
    near = f"country-{rule.jurisdiction}"
    country = word(near if near in frame.words().texts else f"sc-reach-{rule.jurisdiction}")
    return word("sc-advisory" if advisory else "sc-law", country=country)


def _behind(case: Case, found: dict[str, Any]) -> str:
    """The answers a finding rests on: each question with both sides and the means of their roles."""
    items: dict[str, None] = {}
    for one in found["because"]:
        items.update(dict.fromkeys(_items_of(case, one["fact"])))
    every = [item for item in items if any((item, lens) in case.said for lens in LENSES)]
    if not every:
        return ""
    told = every[:LISTED]
    summary = _count("sc-behind", len(every))
    if len(told) < len(every):
        summary = word("sc-behind-most", n=len(told), total=len(every))
    rows = [(escape(_question(case, item)), [_said(case, item, lens) for lens in LENSES]) for item in told]
    columns = [word(f"side-{lens}") for lens in LENSES]
    return _fold(summary, table(word("trace-question"), columns, rows, raw=True), "sc-quiet")


def _items_of(case: Case, fact: str) -> list[str]:
    """The items a fact is made of, those that weigh most first."""
    first, _, rest = fact.partition(".")
    matrix = frame.matrix()
    if first == "item":
        return [rest.rpartition(".")[0]]
    if first not in matrix.ids("axes"):
        return []
    name, *others = rest.split(".")
    if name in matrix.ids("conditions"):
        return case.carrying(first, name)
    if name == "cell":
        return case.rung(first, others[0])
    return _items_of_axis(case, first, name)


def _items_of_axis(case: Case, axis: str, name: str) -> list[str]:
    """The items behind a fact of a whole axis, such as its gap or its state."""
    matrix, one = frame.matrix(), case.result["axes"][axis]
    levels = matrix.ids("levels")
    items: list[str] = []
    if name in ("state", "index"):
        items = [item for criterion in CRITERIA for item in case.carrying(axis, criterion)]
    elif name == "exposure":
        items = [item for condition in GROUPS["shown"] for item in case.carrying(axis, condition)]
        items = items or [item for level in levels[2:] for item in case.rung(axis, level)]
    elif name == "gap":
        items = _apart(case, axis, one["gap"] or 0)
    elif name == "undocumented":
        short = [
            one_ for one_ in levels if _low(one["documented"], one_) < _low(one["declared"], one_) - EPSILON
        ]
        claimed = [item for level in short for item in case.rung(axis, level)]
        items = [item for item in claimed if case.items[item].evidence and case.x(item, "declared")]
    elif name in POSITIONS:
        lens = one[name if name in LENSES else "declared"]
        blocking = (level for level in levels if _low(lens, level) < 1 - EPSILON)
        items = case.rung(axis, next(blocking, levels[-1]))
    return items


def _apart(case: Case, axis: str, gap: float) -> list[str]:
    """Items of an axis on which both sides speak, those that make the gap first."""
    apart = {}
    for item in case.items.values():
        declared, lived = (case.x(item.id, lens) for lens in LENSES)
        if item.axis == axis and item.level and declared is not None and lived is not None:
            apart[item.id] = (declared - lived) * item.weight * (1 if gap >= 0 else -1)
    return sorted((item for item, by in apart.items() if by > EPSILON), key=lambda item: -apart[item])


def _low(lens: dict[str, Any] | None, level: str) -> float:
    return float(lens["cells"][level]["low"] or 0) if lens else 0.0


def _question(case: Case, item: str) -> str:
    """The wording an item is known by: the institution's, else the patients'."""
    entry = case.questionnaire.item(item)
    ask = entry.asked_of("declared") or entry.asked_of("experienced")
    return ask.text[frame.language()] if ask else item


def _said(case: Case, item: str, lens: str) -> str:
    """What one side said on an item: its value, then its roles; patients' roles only when each is large enough."""
    lang, matrix = frame.language(), frame.matrix()
    rows = case.said.get((item, lens), [])
    withheld = lens == "experienced" and case.withheld([item])
    if withheld or not any(row["role"] for row in rows):
        return f"<small>{escape(_silent(case, [item], lens))}</small>"
    x = case.x(item, lens)
    if x is None:
        return f"<small>{escape(word('trace-unknown'))}</small>"
    speaking = [row for row in rows if row["mean"] is not None]
    n_min = matrix.thresholds.n_min
    if lens == "experienced" and any(row["n"] < n_min for row in speaking):
        lines = [word("sc-all-n", n=sum(row["n"] for row in rows))]
    else:
        lines = [
            word(
                "sc-role-n",
                role=matrix.title("roles", row["role"], lang),
                mean=number(row["mean"], lang, digits=2),
                n=row["n"],
            )
            for row in speaking
        ]
    return f"{number(x, lang, digits=2)}<small>{escape(' · '.join(lines))}</small>"


# --- facts in words ---------------------------------------------------------------------------------------------


def fact_line(case: Case, one: dict[str, Any]) -> str:
    """A fact of a finding in words: its name, its value, and what the rule compares it with."""
    fact, value = one["fact"], one["value"]
    name = fact_name(case, fact, value)
    if isinstance(value, bool):
        return name
    shown = _value(fact, value)
    for key, compared in (
        ("below", "needed" if _is_lack(fact) else "under"),
        ("at_least", "from"),
        ("at_most", "up-to"),
        ("above", "over"),
    ):
        if key in one:
            threshold = _number_of(fact, one[key], bare=True)
            told = word(f"sc-compare-{compared}", n=threshold)
            return word("sc-fact-compared", name=name, value=shown, compared=told)
    return word("sc-fact-value", name=name, value=shown)


def fact_name(case: Case, fact: str, value: object = None) -> str:
    """A fact's name in words; a flag's name says its value."""
    lang, matrix = frame.language(), frame.matrix()
    first, _, rest = fact.partition(".")
    if first == "item":
        item, _, side = rest.rpartition(".")
        return word("sc-fact-question", text=_question(case, item).rstrip(". "), side=_side(case, item, side))
    if first == "overall":
        return word("sc-fact-overall", condition=matrix.title("conditions", rest, lang))
    if first not in matrix.ids("axes"):
        key = f"sc-fact-{first}-{rest}"
        return word(key if key in frame.words().texts else f"sc-fact-{rest}")
    return _fact_of_axis(_inside(matrix.title("axes", first, lang)), rest, value)


def _fact_of_axis(axis: str, rest: str, value: object) -> str:
    """What is known of an axis, in words: a condition, a cell, or the axis as a whole."""
    lang, matrix = frame.language(), frame.matrix()
    name, *others = rest.split(".")
    side = word(f"sc-side-{others[-1] if others else name}") if (others or name in POSITIONS[:3]) else ""
    if name in matrix.ids("conditions"):
        title = matrix.title("conditions", name, lang)
        key = "sc-fact-of-side" if others else "sc-fact-of"
        return word(key, condition=title, axis=axis, side=side)
    if name == "cell":
        return word("sc-fact-cell", level=matrix.title("levels", others[0], lang), axis=axis, side=side)
    if name in POSITIONS[:3]:
        return word("sc-fact-position", axis=axis, side=side)
    told = f"-{'yes' if value else 'no'}" if isinstance(value, bool) else ""
    return word(f"sc-fact-{name}{told}", axis=axis)


def _side(case: Case, item: str, side: str) -> str:
    """Whose figure it is; the lower of both sides only where both are asked, and none is known alone."""
    if side == "combined":
        asked = [lens for lens in LENSES if item in case.items and case.asked([item], lens)]
        known = [lens for lens in asked if case.x(item, lens) is not None] or asked
        side = known[0] if len(known) == 1 else side
    return word(f"sc-side-{side}")


def _value(fact: str, value: Any) -> str:
    """A fact's value with its unit."""
    if isinstance(value, str):
        return word(f"state-{value}")
    if value is None:
        return frame.NOTHING
    if fact == "respondents.experienced" and not value:
        return word("sc-value-none")
    return _number_of(fact, float(value))


def _number_of(fact: str, value: float, *, bare: bool = False) -> str:
    """A value of a fact with its unit; ``bare``, as a threshold said after the value, without what it is out of."""
    lang = frame.language()
    first, last = fact.partition(".")[0], fact.rpartition(".")[2]
    if first in ("completeness", "channel", "evidence"):
        return percent(value, lang)
    if last == "gap":
        return _signed(value)
    units = {
        "respondents": ("count", 0),
        "programme": ("months", 0),
        "index": ("index", 0),
        "undocumented": ("steps", 1),
    }
    unit, digits = (
        units.get(first) or units.get(last) or (("share", 2) if _is_lack(fact) else ("position", 1))
    )
    if bare and unit != "months":
        unit = "count"
    return word(f"sc-value-{unit}", n=number(value, lang, digits=digits))


def _is_lack(fact: str) -> bool:
    """Whether a fact is a share of good practice, so that being below is a lack; positions and counts are not."""
    first, _, rest = fact.partition(".")
    if first in ("item", "overall", "completeness", "evidence"):
        return True
    return rest.split(".")[0] in (*frame.matrix().ids("conditions"), "cell")


def _signed(value: float) -> str:
    return number(value, frame.language(), digits=2).replace("-", MINUS)


def _inside(title: str) -> str:
    """A title as it stands inside a sentence."""
    return title[:1].lower() + title[1:]


# --- safeguards, and what could not be judged --------------------------------------------------------------------


def _safeguards(case: Case, found: list[dict[str, Any]]) -> str:
    """Limits that were crossed, apart from any level."""
    rules = load_rulebook().rules.values()
    total = sum(rule.kind == "safeguard" for rule in rules)
    waiting = {one["rule"] for one in case.result["unjudged"]}
    judged = total - sum(rule.kind == "safeguard" and rule.id in waiting for rule in rules)
    if found:
        line = word("sc-safeguards-broken", judged=judged, total=total, n=len(found))
    else:
        line = word("sc-safeguards-fine", judged=judged, total=total)
    return (
        f'<section class="sc-axis">{_h2(word("sc-safeguards"))}<p class="fr-text">{escape(line)}</p>'
        f'<p class="fr-small">{escape(word("sc-safeguards-why"))}</p>'
        f"{''.join(_finding(case, one) for one in found)}</section>"
    )


def _unjudged(case: Case) -> str:
    """Rules that wait for answers, by what they speak of, each with what would decide it."""
    lang, matrix, rules = frame.language(), frame.matrix(), load_rulebook()
    if not case.result["unjudged"]:
        return f'<p class="fr-small">{escape(word("sc-unjudged-none"))}</p>'
    groups: dict[str, list[str]] = {}
    for one in case.result["unjudged"]:
        place = _place(case, one["axis"], one["missing"])
        lines = "".join(
            f"<li>{escape(word('sc-need', fact=fact_name(case, fact), need=word(_need(case, fact))))}</li>"
            for fact in one["missing"]
        )
        title = word("sc-unjudged-one", title=rules[one["rule"]].title[lang])
        groups.setdefault(place, []).append(f'<li>{escape(title)}<ul class="fr-explain">{lines}</ul></li>')
    folds = []
    for place in (*matrix.ids("axes"), ""):
        if place in groups:
            name = matrix.title("axes", place, lang) if place else word("sc-overall")
            summary = word("sc-unjudged-group", axis=name, n=len(groups[place]))
            folds.append(_fold(summary, f'<ul class="sc-waiting">{"".join(groups[place])}</ul>'))
    return (
        f'<section class="sc-axis">{_h2(word("sc-unjudged-title"))}'
        f'<p class="fr-small">{escape(word("unjudged-why"))}</p>{"".join(folds)}</section>'
    )


def _need(case: Case, fact: str) -> str:
    """What would decide an unknown fact, as the key of a word."""
    last = fact.rpartition(".")[2]
    fixed = {
        "months": "start",
        "documented": "evidence",
        "undocumented": "evidence",
        "coverage": "evidence",
        "gap": "both",
    }
    need = fixed.get(last)
    if need is None:
        items, wanted = _items_of(case, fact), (last,) if last in LENSES else LENSES
        need = last if last in LENSES else "either"
        if (
            _axis_of(case, fact)
            and last in POSITIONS
            and not fact.startswith("item.")
            and fact.count(".") == 1
        ):
            need = "complete"
        elif items and not any(item in case.items for item in items):
            need = "full"
        elif items and not any((item, lens) in case.said for item in items for lens in wanted):
            need = "na"
    if case.result["sealed"] and need in ("experienced", "both"):
        need = case.result["sealed"]  # they may have answered: it is what would show it that is missing
    return f"sc-need-{need}"


# --- small pieces -----------------------------------------------------------------------------------------------


def _h2(text: str, before: str = "") -> str:
    return f'<h2 class="fr-h2">{before}{escape(text)}</h2>'


def _icon(sign: str) -> str:
    return f'<span aria-hidden="true">{sign} </span>'


def _fold(summary: str, inside: str, kind: str = "") -> str:
    return f'<details class="sc-fold {kind}"><summary>{escape(summary)}</summary>{inside}</details>'


def _count(key: str, n: int) -> str:
    return word(f"{key}-one") if n == 1 else word(key, n=n)
