"""The matrix as a figure: one reading of a score, drawn as an accessible table and as SVG."""

from __future__ import annotations

import csv
import io
import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from matrix import Matrix, Words, load_matrix, number, percent

HERE = Path(__file__).parent
EPSILON = 1e-9
DECIMALS = 4
"""Of a number in a table."""
WRAP = 170
"""Characters of a small line across the figure."""
Score = Mapping[str, Any]  # one object of `score --format json`


@dataclass(frozen=True)
class Bounds:
    """Progress of one lens in a cell: shares of 1, what to print, what to read aloud."""

    low: float
    high: float
    text: str
    spoken: str

    @property
    def certain(self) -> bool:
        """Whether the low and the high bound meet."""
        return self.high - self.low <= EPSILON

    @property
    def side(self) -> str:
        """Where a number stands clear of its mark: ``left``, ``right``, or ``middle`` when nothing is clear."""
        if max(self.low, 1 - self.high) < 0.4:  # noqa: PLR2004  # a number needs two fifths of the cell
            return "middle"
        return "left" if self.low >= 1 - self.high else "right"


@dataclass(frozen=True)
class CellView:
    """One cell of the figure; a lens without a value there is ``None``, ``withheld`` if it is one that is not shown."""

    level: str
    declared: Bounds | None
    experienced: Bounds | None
    documented: Bounds | None
    withheld: bool
    attained: bool
    spoken: str


@dataclass(frozen=True)
class RowView:
    """One axis of the figure with what stands at its end; ``status`` replaces the cells when given."""

    id: str
    title: str
    scope: str
    cells: tuple[CellView, ...]
    status: str
    position: str
    level: str
    notes: tuple[str, ...]
    target: str
    target_met: bool
    gap: str
    gap_none: str
    gap_notable: bool


@dataclass(frozen=True)
class FigureView:
    """Everything the table and the picture show, in one language."""

    lang: str
    headline: str
    subtitle: str
    caption: str
    note: str
    lines: tuple[str, ...]
    levels: tuple[str, ...]
    rows: tuple[RowView, ...]
    reading: bool
    has_target: bool
    withheld: str


def matrix_table_html(
    score: Score,
    matrix: Matrix | None = None,
    lang: str = "en",
    *,
    title: str = "",
    targets: Mapping[str, float] | None = None,
    reasons: Mapping[str, str] | None = None,
) -> str:
    """The matrix as an accessible HTML table whose cells are the chart; styled by :func:`figure_css`.

    ``targets`` are positions 0..4 by axis id, ``reasons`` why an axis is out of scope; texts are escaped.
    """
    view = figure_view(score, matrix, lang, title=title, targets=targets, reasons=reasons)
    return _templates().get_template("matrix.html.jinja").render(f=view, w=_words(), lang=lang)


def matrix_svg(
    score: Score,
    matrix: Matrix | None = None,
    lang: str = "en",
    *,
    title: str = "",
    subtitle: str = "",
    targets: Mapping[str, float] | None = None,
    reasons: Mapping[str, str] | None = None,
    lines: Sequence[str] = (),
) -> str:
    """The same figure as one standalone SVG on white, for print and documents; width 1180 units.

    ``lines`` stand under the figure, wrapped: what it must not travel without.
    """
    view = figure_view(
        score, matrix, lang, title=title, subtitle=subtitle, targets=targets, reasons=reasons, lines=lines
    )
    template = _templates().get_template("matrix.svg.jinja")
    return template.render(f=view, w=_words(), lang=lang, headline=textwrap.wrap(view.headline, 84))


def figure_css() -> str:
    """The style sheet of :func:`matrix_table_html`: light, dark, phone and print."""
    return (HERE / "figures.css").read_text(encoding="utf-8")


def headline(score: Score, matrix: Matrix | None = None, lang: str = "en", *, title: str = "") -> str:
    """The sentence that comes before the numbers: where word and life differ most, or what is missing."""
    matrix = matrix or load_matrix()
    w, side = _words(), _missing_side(score)
    if side:
        return w(side, lang, title=title)
    every = {axis: score["axes"][axis] for axis in matrix.ids("axes")}
    asked = {axis: one for axis, one in every.items() if one["applicable"]}
    both = {axis: one for axis, one in asked.items() if _comparable(one)}
    if not both:
        return w("headline-partial", lang)
    missing = ", ".join(matrix.title("axes", axis, lang) for axis in asked if axis not in both)
    sentence = _compared(both, matrix, lang, alone=bool(missing))
    return w("headline-missing", lang, sentence=sentence, missing=missing) if missing else sentence


def _comparable(one: Mapping[str, Any]) -> bool:
    """Whether word and life can be compared on an axis: both are shown, and by more than what answers leave open."""
    said, lived = one["declared"], one["experienced"]
    if not said or not lived or one.get("sealed"):
        return False
    return one["gap"] is not None or bool(said["complete"] and lived["complete"])


def _compared(both: Mapping[str, Mapping[str, Any]], matrix: Matrix, lang: str, *, alone: bool) -> str:
    """The widest difference between word and life on these axes, or that there is none; ``alone``: on these only."""
    threshold = matrix.thresholds.gap
    order = sorted(both, key=lambda axis: (-(both[axis]["gap"] or 0), axis))
    apart = [
        axis
        for axis in order
        if both[axis]["declared"]["level"] != both[axis]["experienced"]["level"]
        or abs(both[axis]["gap"] or 0) >= threshold - EPSILON
    ]
    certain = [a for a in apart if both[a]["declared"]["complete"] and both[a]["experienced"]["complete"]]
    claimed = [a for a in certain or apart if both[a]["declared"]["level"] > both[a]["experienced"]["level"]]
    if apart:
        axis = (claimed or certain or apart)[0]
        return _disagreement(axis, both[axis], matrix, lang)
    if alone:
        named = ", ".join(matrix.title("axes", axis, lang) for axis in both)
        return _words()("headline-agree-part", lang, axes=named)
    axis = min(both, key=lambda a: (both[a]["retained"]["position"], a))
    return _words()(
        "headline-agree",
        lang,
        axis=matrix.title("axes", axis, lang),
        level=_level_name(both[axis]["retained"]["level"], matrix, lang).lower(),
        number=_position(both[axis]["retained"], lang),
    )


def _missing_side(score: Score) -> str:
    """Key of the sentence that is said before any comparison, or nothing when both sides answered."""
    if is_reading(score):
        return "headline-reading"
    people = score["respondents"]
    if score.get("sealed") and people["declared"]:
        return "headline-sealed"
    if not people["declared"]:
        return "headline-no-institution" if people["experienced"] else "headline-empty"
    return "" if people["experienced"] else "headline-no-patients"


def is_reading(score: Score) -> bool:
    """Whether the score is of a text that was read, which is no evaluation of anyone."""
    return score.get("kind") == "reading"


def figure_view(
    score: Score,
    matrix: Matrix | None = None,
    lang: str = "en",
    *,
    title: str = "",
    subtitle: str = "",
    targets: Mapping[str, float] | None = None,
    reasons: Mapping[str, str] | None = None,
    lines: Sequence[str] = (),
) -> FigureView:
    """What both renderings show, worked out once; nothing is rounded before this point.

    A ``sealed`` score, or axis of one, shows one side while the other's answers are kept back, and says that and no
    more; where the reason is ``few``, that fewer than ``n_min`` patients answered. Of a side that is kept back in part
    the cells that may be shown are there, and no position unless it rests on them alone; the levels an axis names
    under ``withheld`` are marked.
    """
    matrix = matrix or load_matrix()
    w, reading = _words(), is_reading(score)
    every = (score["axes"][axis] for axis in matrix.ids("axes"))
    withheld = any(one.get("withheld") for one in every if one["applicable"])
    return FigureView(
        lang=lang,
        headline=headline(score, matrix, lang, title=title),
        subtitle=subtitle,
        caption=w("caption-reading" if reading else "caption", lang),
        note=w("figure-note-reading" if reading else "figure-note", lang),
        lines=tuple(row for line in lines for row in textwrap.wrap(line, WRAP)),
        levels=tuple(f"{level.number}. {level.title[lang]}" for level in matrix.levels),
        rows=tuple(
            _row(axis.id, score, matrix, lang, (targets or {}).get(axis.id), (reasons or {}).get(axis.id, ""))
            for axis in matrix.axes
        ),
        reading=reading,
        has_target=bool(targets) and not reading,
        withheld=w("legend-withheld", lang, n=matrix.thresholds.n_min) if withheld else "",
    )


def _row(axis: str, score: Score, matrix: Matrix, lang: str, target: float | None, reason: str) -> RowView:
    one, w, reading = score["axes"][axis], _words(), is_reading(score)
    entry = next(a for a in matrix.axes if a.id == axis)
    sealed = one.get("sealed") or score.get("sealed")
    kept_back = w("few", lang, n=matrix.thresholds.n_min) if sealed == "few" else w("sealed", lang)
    if sealed and one["experienced"]:
        kept_back = w("few-part", lang)
    status = ""
    if not one["applicable"]:
        status = w("not-applicable-why", lang, reason=reason) if reason else w("not-applicable", lang)
    elif not any(one[lens] for lens in ("declared", "experienced")):
        status = kept_back if sealed == "few" else w("unanswered", lang)
    retained, notes = one["retained"], []
    position = level = ""
    if retained and not reading:
        position = _position(retained, lang)
        level = _level_name(retained["level"], matrix, lang)
        if not retained["complete"]:
            notes.append(w("not-established", lang))
        if retained["ceilings"]:
            notes.append(w("capped", lang, number=number(retained["before_cap"], lang)))
        if retained["thin"]:
            notes.append(w("thin", lang, n=matrix.thresholds.n_min))
    elif not status and not reading:
        lens = "declared" if one["declared"] else "experienced"
        notes.append(kept_back if sealed else w("unilateral", lang))
        if one[lens]["position"] is not None:
            known = _position(one[lens], lang)
            notes.append(w("unilateral-known", lang, lens=w(lens, lang), number=known))
    gap = one["gap"]
    return RowView(
        id=axis,
        title=entry.title[lang],
        scope=w(f"scope-{entry.scope}", lang) if entry.scope else "",
        cells=()
        if status
        else tuple(_cell(one, lvl.id, lvl.title[lang], lang, sealed=bool(sealed)) for lvl in matrix.levels),
        status=status,
        position=position,
        level=level,
        notes=tuple(notes),
        target="" if target is None else number(target, lang, digits=0 if float(target).is_integer() else 1),
        target_met=bool(target is not None and retained and retained["position"] >= target - EPSILON),
        gap="" if gap is None else _gap(gap, lang),
        gap_none=w("gap-withheld" if sealed else "gap-none", lang),
        gap_notable=gap is not None and gap >= matrix.thresholds.gap - EPSILON,
    )


def _cell(one: Mapping[str, Any], level: str, title: str, lang: str, *, sealed: bool) -> CellView:
    w = _words()
    lenses = {lens: _bounds(one[lens], level, lang) for lens in ("declared", "experienced", "documented")}
    declared = lenses["declared"]
    attained = declared is not None and declared.low >= 1 - EPSILON
    spoken = [
        w("cell-lens", lang, lens=w(lens, lang), text=bounds.spoken if bounds else w("cell-no-answer", lang))
        for lens, bounds in lenses.items()
        if bounds or (lens != "documented" and not sealed)
    ]
    if withheld := level in one.get("withheld", ()):
        spoken.append(w("cell-lens", lang, lens=w("experienced", lang), text=w("withheld", lang)))
    if attained:
        spoken.append(w("cell-reached", lang))
    told = ", ".join(spoken)
    return CellView(title, declared, lenses["experienced"], lenses["documented"], withheld, attained, told)


def _bounds(lens: Mapping[str, Any] | None, level: str, lang: str) -> Bounds | None:
    cell = lens["cells"].get(level) if lens else None
    if cell is None:
        return None
    low, high = (0.0 if cell[end] is None else float(cell[end]) for end in ("low", "high"))
    w, ends = _words(), {"low": _share(low, lang), "high": _share(high, lang)}
    if high - low <= EPSILON:
        return Bounds(low, high, ends["low"], ends["low"])
    bare = number(math.floor(low * 100 + EPSILON), lang, digits=0)
    return Bounds(low, high, w("range", lang, low=bare, high=ends["high"]), w("between", lang, **ends))


def _share(share: float, lang: str) -> str:
    """A share as a percentage that says 100 % only of what is complete, and 0 % only of nothing."""
    whole = round(share * 100)
    if whole == 100 and share < 1 - EPSILON:  # noqa: PLR2004
        whole = 99
    if whole == 0 and share > EPSILON:
        whole = 1
    return percent(whole / 100, lang)


def _position(lens: Mapping[str, Any], lang: str) -> str:
    """A position to one decimal, never rounded up to a level it has not reached; a bound says so."""
    shown = math.floor(lens["position"] * 10 + 1e-6) / 10
    text = number(shown, lang)
    return text if lens["complete"] else _words()("at-least", lang, number=text)


def _gap(gap: float, lang: str) -> str:
    """A gap to two decimals, with a true minus sign."""
    return number(gap, lang, digits=2).replace("-", "\N{MINUS SIGN}")


def _level_name(level: int, matrix: Matrix, lang: str) -> str:
    if level == 0:
        return _words()("level-none", lang)
    return next(one.title[lang] for one in matrix.levels if one.number == level)


def _disagreement(axis: str, one: Mapping[str, Any], matrix: Matrix, lang: str) -> str:
    w = _words()
    name = matrix.title("axes", axis, lang)
    said, lived = one["declared"], one["experienced"]
    if said["level"] == lived["level"]:
        both = (
            w("both-none", lang)
            if said["level"] == 0
            else w("both-see", lang, level=_the(said["level"], matrix, lang))
        )
        sentence = w("headline-one", lang, axis=name, both=both)
    else:
        sentence = w(
            "headline-pair",
            lang,
            axis=name,
            declare=_clause("declare", said, matrix, lang),
            live=_clause("live", lived, matrix, lang),
        )
    if one["gap"] is None:
        return sentence
    return w("headline-gap", lang, sentence=sentence, gap=_gap(one["gap"], lang))


def _clause(verb: str, lens: Mapping[str, Any], matrix: Matrix, lang: str) -> str:
    if lens["level"] == 0:
        return _words()(f"{verb}-none", lang)
    key = verb if lens["complete"] else f"{verb}-least"
    return _words()(key, lang, level=_the(lens["level"], matrix, lang))


def _the(level: int, matrix: Matrix, lang: str) -> str:
    """The level inside a sentence; a level of somebody's own matrix stands under its bare title."""
    id_ = next(one.id for one in matrix.levels if one.number == level)
    key = f"the-{id_}"
    return _words()(key, lang) if key in _words().texts else _level_name(level, matrix, lang).lower()


@cache
def _words() -> Words:
    return Words.load(HERE / "words.yaml")


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def matrix_csv(score: Score, matrix: Matrix | None = None, lang: str = "en") -> str:
    """The table behind the figure: a row per axis, level and lens, four decimals, semicolons, decimal of the language.

    Columns: axis, level, lens, low, high, position, position_high, retained, retained_high, gap.
    """
    matrix = matrix or load_matrix()
    comma = number(0.5, lang)[1]

    def cell(value: object) -> str:
        if value is None:
            return ""
        text = f"{value}".replace(".", comma) if isinstance(value, float) else str(value)
        # A spreadsheet would run a text that begins like a formula.
        return "'" + text if isinstance(value, str) and text[:1] in "=+-@\t\r" else text

    out = io.StringIO()
    rows = csv.writer(out, delimiter=";", lineterminator="\r\n")
    rows.writerow(
        (
            "axis",
            "level",
            "lens",
            "low",
            "high",
            "position",
            "position_high",
            "retained",
            "retained_high",
            "gap",
        )
    )
    for axis in matrix.axes:
        one = score["axes"][axis.id]
        kept = one["retained"] or {}
        for lens in matrix.lenses:
            view = one[lens.id]
            for level in matrix.levels:
                share = view["cells"].get(level.id, {}) if view else {}
                gap = one["gap"]
                values = (
                    axis.title[lang],
                    level.title[lang],
                    lens.title[lang],
                    *_ends(share.get("low"), share.get("high")),
                    *(_ends(view["position"], view["high"]) if view else _ends(None, None)),
                    *_ends(kept.get("position"), kept.get("high")),
                    None if gap is None else round(gap, DECIMALS) + 0.0,
                )
                rows.writerow([cell(value) for value in values])
    return out.getvalue()


def _ends(low: float | None, high: float | None) -> tuple[float | None, float | None]:
    """Both bounds rounded, and the high one never below the low one by what a computer's sums leave over."""
    if low is None or high is None:
        return low, high
    return round(low, DECIMALS), round(max(low, high), DECIMALS)
