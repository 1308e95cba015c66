"""Method: the matrix, the ladder with a live example, ceilings, showcase, systems, limits, sources."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import streamlit as st
from pydantic import Field

from dashboard import frame, worked
from dashboard.results import ICONS, table
from matrix import Document, Refused, load_document, load_sources, nearest, number, parse
from matrix.model import among, cited, merge, unique
from matrix.types import Format, Frozen, Id, Texts
from scoring import CRITERIA, STATES, load_rulebook

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from matrix import Problem

word = frame.word
HERE = Path(__file__).parent
TEXTS = HERE / "texts"
_NAME = re.compile(r"{(\w+)}")
_BOLD = re.compile(r"\*\*(.+?)\*\*")
_SLANTED = re.compile(r"\*(.+?)\*")
_LINK = re.compile(r"\[([^\]]+)\]\((https://[^\s)]+)\)")
_CITE = re.compile(r"\[([a-z][a-z0-9_]*)\](?!\()")


class Block(Frozen):
    """A piece of a section; what is given is drawn in this order."""

    heading: Texts | None = None
    text: Texts | None = None
    points: tuple[Texts, ...] = ()
    steps: tuple[Texts, ...] = ()
    note: Texts | None = None
    show: (
        Literal[
            "matrix", "wording", "scales", "example", "ceilings", "criteria", "states", "systems", "sources"
        ]
        | None
    ) = None


class Section(Frozen):
    """A chapter of the page."""

    id: Id
    title: Texts
    body: tuple[Block, ...]


class Sections(Frozen):
    """The file method.yaml."""

    schema_: Format = Field(alias="schema")
    sections: tuple[Section, ...]


class System(Frozen):
    """Something the founding texts name, and what carries it in the tool today."""

    id: Id
    name: Texts
    line: Texts
    sources: tuple[Id, ...]
    items: tuple[Id, ...] = ()
    rules: tuple[Id, ...] = ()
    conditions: tuple[Id, ...] = ()
    roles: tuple[Id, ...] = ()
    axes: tuple[Id, ...] = ()
    section: Id | None = None


class Systems(Frozen):
    """The file systems.yaml."""

    schema_: Format = Field(alias="schema")
    systems: tuple[System, ...]


def page() -> None:
    """Draw the page."""
    lang = frame.language()
    st.html(f"<style>{_css()}</style>")
    frame.heading(word("method-title"))
    frame.paragraph(word("method-lead"), "lead")
    with st.container(key="method"):
        with st.container(key="method-contents"):
            st.html(_contents(lang))
        with st.container(key="method-body"):
            for part in _drawn(lang):
                if part:
                    st.html(part)
                else:
                    worked.draw()


@cache
def sections(path: Path = TEXTS / "method.yaml") -> tuple[Section, ...]:
    """The sections of the page, or ``Refused`` with every problem of the file."""
    document = load_document(path, name=path.name)
    value, problems = parse(document, Sections, frame.matrix().languages)
    own = [*unique(document, "sections"), *_cited_in_texts(document)]
    if value is None or own:
        raise Refused(merge(problems, own))
    return value.sections


@cache
def systems(path: Path = TEXTS / "systems.yaml") -> tuple[System, ...]:
    """What the tool carries of the founding texts, or ``Refused`` with every problem of the file."""
    document = load_document(path, name=path.name)
    value, problems = parse(document, Systems, frame.matrix().languages)
    own = [*unique(document, "systems"), *cited(document)]
    if value is not None:
        matrix = frame.matrix()
        known = {kind: matrix.ids(kind) for kind in ("conditions", "roles", "axes")}
        known["items"] = tuple(one.id for every in frame.questionnaires().values() for one in every.items)
        known["rules"] = tuple(load_rulebook().rules)
        known["section"] = tuple(section.id for section in sections())
        for place, system in enumerate(value.systems):
            own += _unknown(document, place, system, known)
    if value is None or own:
        raise Refused(merge(problems, own))
    return value.systems


def _unknown(
    document: Document, place: int, system: System, known: Mapping[str, tuple[str, ...]]
) -> Iterator[Problem]:
    """A problem for each id of a system that names nothing we have."""
    for kind, ids in known.items():
        named = getattr(system, kind) or ()
        for index, one in enumerate((named,) if isinstance(named, str) else named):
            if one not in ids:
                path = ("systems", place, kind) if isinstance(named, str) else ("systems", place, kind, index)
                near = nearest(one, ids)
                yield document.problem(path, "not-among", suggestion=near, known=ids, found=one)


def _cited_in_texts(document: Document) -> Iterator[Problem]:
    """A problem for each ``[id]`` in a text that is no source."""
    known = tuple(load_sources())

    def walk(here: object, path: tuple[str | int, ...]) -> Iterator[Problem]:
        if isinstance(here, str):
            for id_ in _CITE.findall(here):
                yield from among(document, path, id_, known, "unknown-source")
        elif isinstance(here, dict | list):
            for key, value in here.items() if isinstance(here, dict) else enumerate(here):
                yield from walk(value, (*path, key))

    return walk(document.data, ())


@cache
def _css() -> str:
    return Path(__file__).with_suffix(".css").read_text(encoding="utf-8")


def _contents(lang: str) -> str:
    entries = "".join(f'<li><a href="#m-{one.id}">{escape(one.title[lang])}</a></li>' for one in sections())
    title = escape(word("method-contents"))
    return f'<nav class="me-contents" aria-label="{title}"><p>{title}</p><ol>{entries}</ol></nav>'


@cache
def _drawn(lang: str) -> tuple[str, ...]:
    """The whole page but the example as HTML; an empty part stands where the example goes."""
    parts, drawn = (
        [""],
        {
            "matrix": _matrix,
            "wording": _wording,
            "scales": _scales,
            "ceilings": _ceilings,
            "criteria": _criteria,
            "states": _states,
            "systems": _systems,
            "sources": _sources,
        },
    )
    for section in sections():
        parts[-1] += f'<h2 class="fr-h2 me-section" id="m-{section.id}">{escape(section.title[lang])}</h2>'
        for block in section.body:
            parts[-1] += _block(block, lang)
            if block.show == "example":
                parts += ["", ""]
            elif block.show:
                parts[-1] += drawn[block.show](lang)
    return tuple(parts)


def _block(block: Block, lang: str) -> str:
    html = ""
    if block.heading:
        html += f'<h3 class="fr-h3">{_rich(block.heading, lang)}</h3>'
    if block.text:
        html += f'<p class="fr-text">{_rich(block.text, lang)}</p>'
    for tag, lines in (("ul", block.points), ("ol", block.steps)):
        if lines:
            entries = "".join(f"<li>{_rich(one, lang)}</li>" for one in lines)
            html += f'<{tag} class="me-{tag}">{entries}</{tag}>'
    if block.note:
        html += f'<p class="fr-note fr-calm">{_rich(block.note, lang)}</p>'
    return html


def _rich(texts: dict[str, str], lang: str) -> str:
    """A text as HTML: names of numbers filled in, bold, slanted, links and citations; all else is escaped."""
    values = _numbers(lang)
    text = _NAME.sub(lambda found: values.get(found[1], found[0]), escape(texts[lang]))
    text = _SLANTED.sub(r"<em>\1</em>", _BOLD.sub(r"<strong>\1</strong>", text))
    text = _LINK.sub(r'<a href="\2" target="_blank">\1</a>', text)
    return _CITE.sub(lambda found: _cite(found[1], lang), text)


def _cite(id_: str, lang: str) -> str:
    """The number of a source, as a link to its entry."""
    place, source = list(load_sources()).index(id_) + 1, load_sources()[id_]
    name = word("method-cite", lang, n=place, name=f"{source.authors} {source.year or ''}".strip())
    return f'<a class="me-cite" href="#m-source-{id_}" title="{escape(name)}">[{place}]</a>'


@cache
def _numbers(lang: str) -> dict[str, str]:
    """What a text may name in braces: the thresholds, and counts of what there is."""
    values: dict[str, str] = {}
    for name, value in frame.matrix().thresholds.model_dump().items():
        for place, one in enumerate(value if isinstance(value, tuple) else (value,), start=1):
            key = f"{name}_{place}" if isinstance(value, tuple) else name
            whole = isinstance(one, int) or (name == "emerging_position" and float(one).is_integer())
            values[key] = number(one, lang, digits=0 if whole else 2)
    items = frame.questionnaires()["hospital"].items
    kinds = Counter(rule.kind for rule in load_rulebook().rules.values())
    counts = {
        "items": len(items),
        "items_patients": sum(one.asked_of("experienced") is not None for one in items),
        "risks": kinds["risk"],
        "safeguards": kinds["safeguard"],
        "sources": len(load_sources()),
    }
    return values | {name: str(count) for name, count in counts.items()}


def _matrix(lang: str) -> str:
    matrix = frame.matrix()
    cells = {(one.axis, one.level): one for one in matrix.cells}
    levels = [f"{one.number}. {one.title[lang]}" for one in matrix.levels]
    rows = []
    for axis in matrix.axes:
        scope = f"<small>{escape(word(f'method-scope-{axis.scope}', lang))}</small>" if axis.scope else ""
        texts = []
        for level in matrix.levels:
            cell = cells[axis.id, level.id]
            cites = "".join(dict.fromkeys(_cite(one.id, lang) for one in cell.sources))
            status = escape(word(f"method-status-{cell.status}", lang))
            texts.append(f'{escape(cell.text[lang])} <span class="me-status">{status} {cites}</span>')
        rows.append((f"{escape(axis.title[lang])}{scope}", texts))
    caption = f'<p class="fr-small">{escape(word("method-matrix-caption", lang))}</p>'
    return f'{caption}<div class="me-matrix">{table(word("method-axis", lang), levels, rows, raw=True)}</div>'


def _wording(lang: str) -> str:
    counts = Counter(cell.status for cell in frame.matrix().cells)
    entries = "".join(
        f"<dt>{escape(word('method-status-count', lang, name=word(f'method-status-{one}', lang), n=n, all=counts.total()))}</dt>"
        f"<dd>{escape(word(f'method-status-{one}-why', lang))}</dd>"
        for one in ("seed", "remembered", "own")
        if (n := counts[one])
    )
    return f'<dl class="me-terms">{entries}</dl>'


def _scales(lang: str) -> str:
    questionnaire = frame.questionnaires()["hospital"]
    used = Counter(
        (ask.scale, side)
        for item in questionnaire.items
        for side in ("institution", "patients")
        if (ask := getattr(item.ask, side)) is not None
    )
    tables = []
    for name, options in questionnaire.scales.items():
        sides = [side for side in ("institution", "patients") if used[name, side]]
        if not sides:
            continue
        key = f"method-scales-side-{sides[0] if len(sides) == 1 else 'both'}"
        caption = word(key, lang, n=max(used[name, side] for side in sides))
        rows = "".join(
            f'<tr><td>{escape(one.text[lang])}</td><td class="fr-n">{escape(number(one.value, lang))}</td></tr>'
            for one in options
        )
        tables.append(
            f'<table class="fr-table"><caption>{escape(caption)}</caption><thead><tr>'
            f'<th scope="col">{escape(word("method-scales-option", lang))}</th>'
            f'<th scope="col" class="fr-n">{escape(word("method-scales-value", lang))}</th></tr></thead>'
            f"<tbody>{rows}</tbody></table>"
        )
    return f'<div class="me-scales">{"".join(tables)}</div>'


def _ceilings(lang: str) -> str:
    rules = [rule for rule in load_rulebook().rules.values() if rule.cap]
    levels = {one.number: f"{one.number}. {one.title[lang]}" for one in frame.matrix().levels}
    rows = []
    for rule in sorted(rules, key=lambda one: (one.cap.cap if one.cap else 0, one.id)):
        if rule.cap is None:
            continue
        cites = "".join(dict.fromkeys(_cite(one.id, lang) for one in rule.sources))
        texts = [escape(levels[rule.cap.cap]), f"{escape(rule.because[lang])} {cites}"]
        rows.append((escape(rule.title[lang]), [*texts, escape(rule.clears_when[lang])]))
    heads = [word("method-ceiling-level", lang), word("because", lang), word("clears", lang)]
    return table(word("method-ceiling", lang), heads, rows, raw=True)


def _criteria(lang: str) -> str:
    matrix = frame.matrix()
    criteria = [one for one in matrix.conditions if one.id in CRITERIA]
    rows = [(axis.title[lang], [one.meaning[axis.id][lang] for one in criteria]) for axis in matrix.axes]
    return table(word("method-axis", lang), [one.title[lang] for one in criteria], rows)


def _states(lang: str) -> str:
    values = _numbers(lang)
    rows = []
    for state in STATES:
        name = f'<span aria-hidden="true">{ICONS[state]}</span> {escape(word(f"state-{state}", lang))}'
        rows.append((name, [escape(word(f"method-state-{state}", lang, **values))]))
    return table(word("method-state", lang), [word("method-meaning", lang)], rows, raw=True)


def _systems(lang: str) -> str:
    matrix, rules = frame.matrix(), load_rulebook()
    titles = {one.id: one.title[lang] for one in sections()}
    rows = []
    for system in systems():
        cites = "".join(_cite(one, lang) for one in system.sources)
        named = {
            "items": [f"<code>{escape(one)}</code>" for one in system.items],
            "rules": [escape(rules[one].title[lang]) for one in system.rules],
        }
        for kind in ("conditions", "roles", "axes"):
            named[kind] = [escape(matrix.title(kind, one, lang)) for one in getattr(system, kind)]
        if system.section:
            named["section"] = [f'<a href="#m-{system.section}">{escape(titles[system.section])}</a>']
        lines = "".join(
            f"<li><span>{escape(word('method-where', lang, kind=word(f'method-where-{kind}', lang)))}</span>"
            f"{' · '.join(one)}</li>"
            for kind, one in named.items()
            if one
        )
        where = f'<ul class="me-where">{lines}</ul>'
        rows.append(
            (f"{escape(system.name[lang])} {cites}<small>{escape(system.line[lang])}</small>", [where])
        )
    heads = [word("method-system-where", lang)]
    return f'<div class="me-systems">{table(word("method-system", lang), heads, rows, raw=True)}</div>'


def _sources(lang: str) -> str:
    entries = []
    for id_, one in load_sources().items():
        url = f"https://doi.org/{one.doi}" if one.doi else one.url
        title = escape(one.title)
        linked = f'<a href="{escape(url)}" target="_blank">{title}</a>' if url else title
        year = str(one.year) if one.year else word("method-undated", lang)
        where = word(f"method-jurisdiction-{one.jurisdiction}", lang)
        entries.append(
            f'<li id="m-source-{id_}">{escape(one.authors)} ({escape(year)}). <cite>{linked}</cite> '
            f'<span class="me-where-from">{escape(where)}</span><small>{escape(one.note[lang])}</small></li>'
        )
    return f'<ol class="me-sources">{"".join(entries)}</ol>'
