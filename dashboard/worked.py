"""The worked example of the Method page: answers by slider, scored by the program itself, shown step by step."""

from __future__ import annotations

from functools import cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import streamlit as st

from dashboard import frame
from dashboard.results import EPSILON, ICONS, table
from matrix import number
from questionnaires import read_questionnaire
from reports import matrix_table_html
from scoring import CRITERIA, load_rulebook, score

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from questionnaires import Item, Questionnaire

word = frame.word
FILE = Path(__file__).parent / "texts" / "example.yaml"
VOICES = {"declared": "professional", "experienced": "patient"}
PEOPLE = 5
SHORT = "v3"
"""What both sides answer on training when that question is added."""
START = {"declared": ("v10", "v7", "v7", "v0"), "experienced": ("v7", "v7", "v3", "v0")}
MINUS = "\N{MINUS SIGN}"
Result = dict[str, Any]


@cache
def example() -> Questionnaire:
    """The example's own questionnaire."""
    return read_questionnaire(FILE, name=FILE.name)


def beginning() -> dict[str, Any]:
    """The answers the example starts from: an option for each side and question, who does not know, and training."""
    said: dict[str, Any] = {"training": False}
    for lens, given in START.items():
        for item, option in zip(_steps(), given, strict=True):
            said[f"{lens}|{item.id}"] = option
            said[f"dk|{lens}|{item.id}"] = False
    return said


@st.fragment
def draw() -> None:
    """Draw the sliders and everything that follows from them."""
    lang = frame.language()
    said: dict[str, Any] = st.session_state.setdefault("worked", beginning())
    with st.container(key="worked"):
        with st.container(key="worked-answers"):
            _presets(lang)
            result_at = st.container(key="worked-result")
            for item in _steps():
                _question(item, said, lang)
            short = next(one.text[lang] for one in example().scales["share"] if one.id == SHORT)
            _keep(st.toggle, word("method-training-toggle", x=short), "training", said, lang)
        given = tuple(
            (lens, item.id, "dk" if said[f"dk|{lens}|{item.id}"] else said[f"{lens}|{item.id}"])
            for lens in VOICES
            for item in _steps()
        )
        result = scored(given, training=said["training"])
        moved = said != beginning()
        result_at.html(_summary(result, lang, told=moved))
        own = frame.matrix().model_copy(
            update={"axes": tuple(one for one in frame.matrix().axes if one.id == _axis())}
        )
        frame.heading(word("method-result"), 3)
        st.html(matrix_table_html(result, own, lang, title=word("method-result")))
        st.html(f'<ol class="me-work">{"".join(f"<li>{step(result, lang)}</li>" for step in STEPS)}</ol>')


@st.cache_data(show_spinner=False, max_entries=512)
def scored(given: tuple[tuple[str, str, str], ...], *, training: bool) -> Result:
    """The score object of answers (lens, item, option or ``dk``) that everyone of a side gives alike."""
    every = [*given, *((lens, _training().id, SHORT) for lens in VOICES if training)]
    rows = [
        ("example", f"{lens}-{person}", VOICES[lens], item, answer, "")
        for lens, item, answer in every
        for person in range(PEOPLE)
    ]
    names = ("assessment", "respondent", "role", "item", "answer", "reason")
    answers = pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))
    return score(example(), answers, form="full" if training else "express").to_json()[0]


def _steps() -> tuple[Item, ...]:
    return tuple(one for one in example().items if one.level)


def _training() -> Item:
    return next(one for one in example().items if not one.level)


def _axis() -> str:
    return example().items[0].axis


def _presets(lang: str) -> None:
    start = beginning()
    second = _steps()[1].id
    presets = {
        "method-reset": start,
        "method-preset-unknown": start | {f"dk|experienced|{second}": True},
        "method-preset-training": start | {"training": True},
    }
    with st.container(horizontal=True, key="worked-presets"):
        for name, said in presets.items():
            st.button(word(name), key=name, on_click=_take, args=(said, lang))


def _take(said: dict[str, Any], lang: str) -> None:
    """Put a set of answers in place of the present one."""
    st.session_state["worked"] = dict(said)
    for name, value in said.items():
        st.session_state[f"worked|{name}|{lang}"] = value


def _question(item: Item, said: dict[str, Any], lang: str) -> None:
    """One level: its question, then a slider and a "don't know" for each side."""
    level = next(one for one in frame.matrix().levels if one.id == item.level)
    title, options = f"{level.number}. {level.title[lang]}", example().scales["share"]
    texts = {one.id: one.text[lang] for one in options}
    ask = item.asked_of("declared")
    text = ask.text[lang] if ask else item.id
    if item.condition:
        condition = frame.matrix().title("conditions", item.condition, lang).lower()
        text = word("method-carries", text=text, condition=condition)
    st.html(f'<p class="me-asked"><b>{escape(title)}</b> {escape(text)}</p>')
    for lens, column in zip(VOICES, st.columns(2, gap="medium"), strict=True):
        unknown, side = f"dk|{lens}|{item.id}", word(f"method-side-{lens}")
        label = frame.plain(word("method-answer-label", name=level.title[lang], side=side))
        silent = st.session_state.get(f"worked|{unknown}|{lang}", said[unknown])
        looks = {"options": list(texts), "format_func": texts.__getitem__, "disabled": silent}
        with column:
            _keep(st.select_slider, label, f"{lens}|{item.id}", said, lang, **looks)
            _keep(st.checkbox, word(f"method-dk-{lens}"), unknown, said, lang)


def _keep(
    widget: Callable[..., Any], label: str, name: str, said: dict[str, Any], lang: str, **looks: Any
) -> None:
    """A widget whose value is kept in ``said``, whatever the language it is shown in."""
    key = f"worked|{name}|{lang}"
    if key not in st.session_state:
        st.session_state[key] = said[name]
    said[name] = widget(label, key=key, **looks)


def _summary(result: Result, lang: str, *, told: bool) -> str:
    """The four numbers and the state; ``told`` lets a screen reader say them after a change."""
    one = result["axes"][_axis()]
    gap = frame.NOTHING if one["gap"] is None else _signed(one["gap"], lang, 3)
    state = one["showcase"]["state"]
    values = {lens: _bounds(one[lens], lang) for lens in (*VOICES, "retained")}
    shown = {**values, "gap": gap, "state": word(f"state-{state}", lang)}
    names = {lens: frame.matrix().title("lenses", lens, lang) for lens in VOICES}
    names |= {"gap": word("method-gap", lang), "retained": word("retained", lang)}
    names["state"] = word("method-state", lang)
    said = f' data-announce="{escape(word("method-said", lang, **shown))}"' if told else ""
    icon = f'<span aria-hidden="true">{ICONS[state]} </span>'
    entries = "".join(
        f'<div><dt>{escape(names[key])}</dt><dd data-worked="{key}">'
        f"{icon if key == 'state' else ''}{escape(shown[key])}</dd></div>"
        for key in ("declared", "experienced", "gap", "retained", "state")
    )
    return f'<dl class="me-result"{said}>{entries}</dl>'


def _bounds(lens: Mapping[str, Any] | None, lang: str) -> str:
    """A position to one decimal, never rounded up; one that is not complete says so."""
    if lens is None:
        return frame.NOTHING
    low = number(int(lens["position"] * 10 + 1e-6) / 10, lang)
    return low if lens["complete"] else word("method-at-least", lang, n=low)


def _cells(result: Result, lang: str) -> str:
    one, at = result["axes"][_axis()], frame.matrix().thresholds
    tau = number(at.tau, lang, digits=2)
    rows = []
    for level in frame.matrix().levels:
        texts = []
        for lens in VOICES:
            value: float | None = one[lens]["cells"][level.id]["value"] if one[lens] else None
            if value is None:
                texts.append(word("method-cell-unknown", lang))
                continue
            key = "method-cell-full" if value >= at.tau - EPSILON else "method-cell-part"
            ratio = number(value / at.tau, lang, digits=2)
            texts.append(word(key, lang, x=number(value, lang), tau=tau, ratio=ratio))
        rows.append((f"{level.number}. {level.title[lang]}", texts))
    heads = [frame.matrix().title("lenses", lens, lang) for lens in VOICES]
    return _head("method-step-cells", lang, tau=tau) + table(word("method-level", lang), heads, rows)


def _positions(result: Result, lang: str) -> str:
    one, lines, rest = result["axes"][_axis()], [], False
    for lens in VOICES:
        name, own = frame.matrix().title("lenses", lens, lang), one[lens]
        if own is None:
            lines.append(word("method-position-none", lang, lens=name))
            continue
        terms = _terms(own, "low", lang)
        rest = rest or len(terms) < len(frame.matrix().levels)
        values = {
            "lens": name,
            "sum": " + ".join(terms),
            "n": number(own["position"], lang, digits=2),
            "level": _level(own["level"], lang),
        }
        if own["complete"]:
            lines.append(word("method-position", lang, **values))
        else:
            high = number(own["high"], lang, digits=2)
            high_sum = " + ".join(_terms(own, "high", lang))
            lines.append(word("method-position-bounds", lang, **values, high_sum=high_sum, high=high))
    if rest:
        lines.append(word("method-position-rest", lang))
    return _head("method-step-position", lang) + _lines(lines)


def _terms(lens: Mapping[str, Any], bound: str, lang: str) -> list[str]:
    """The progress of each cell up to the first that is not attained."""
    terms: list[str] = []
    for level in frame.matrix().levels:
        progress = lens["cells"][level.id][bound]
        if progress < 1 - EPSILON:
            return [*terms, number(progress, lang, digits=2)]
        terms.append("1")
    return terms


def _gap(result: Result, lang: str) -> str:
    one, at = result["axes"][_axis()], frame.matrix().thresholds
    head = _head("method-step-gap", lang)
    if one["gap"] is None:
        return head + _lines([word("method-gap-none", lang, n=at.gap_items)])
    cells = [[one[lens]["cells"][level.id]["value"] for lens in VOICES] for level in frame.matrix().levels]
    differences = [said - lived for said, lived in cells if said is not None and lived is not None]
    text = _signed(differences[0], lang, 1)
    for value in differences[1:]:
        sign = MINUS if value < -EPSILON else "+"
        text += f" {sign} {number(abs(value), lang)}"
    threshold = number(at.gap, lang, digits=2)
    verdict = "method-gap-finding" if one["gap"] >= at.gap - EPSILON else "method-gap-small"
    total = _signed(one["gap"], lang, 3)
    lines = [word("method-gap-sum", lang, sum=text, n=len(differences), gap=total)]
    return head + _lines([*lines, word(verdict, lang, threshold=threshold)])


def _retained(result: Result, lang: str) -> str:
    one, rules = result["axes"][_axis()], load_rulebook()
    kept, head = one["retained"], _head("method-step-retained", lang)
    if kept is None:
        return head + _lines([word("method-retained-none", lang)])
    values = {lens: number(one[lens]["position"], lang, digits=2) for lens in VOICES}
    before = number(kept["before_cap"], lang, digits=2)
    by = frame.matrix().title("lenses", kept["decided_by"], lang).lower()
    lines = [word("method-retained-low", lang, **values, n=before, lens=by)]
    after = number(kept["position"], lang, digits=2)
    lines += [
        word("method-retained-cap", lang, title=rules[id_].title[lang], before=before, n=after)
        for id_ in kept["ceilings"]
    ]
    if not kept["ceilings"]:
        lines.append(word("method-retained-free", lang))
    if not kept["complete"]:
        lines.append(word("method-retained-high", lang, high=number(kept["high"], lang, digits=2)))
    return head + _lines(lines)


def _state(result: Result, lang: str) -> str:
    one, matrix = result["axes"][_axis()], frame.matrix()
    shown, at = one["showcase"], matrix.thresholds
    lines = _exposed(one, lang)
    decision, claim = one["conditions"]["decision"], one["declared"]
    top = matrix.levels[-1]
    asked = claim and claim["cells"][top.id]["value"] is not None
    if decision is None and asked and claim["level"] < top.number:
        lines.append(word("method-criterion-unclaimed", lang))
    threshold, rows = number(at.condition, lang, digits=2), []
    for id_ in CRITERIA:
        index: dict[str, Any] = one["conditions"][id_] or dict.fromkeys((*VOICES, "combined"))
        lower: float | None = index["combined"]
        if lower is None:
            verdict = word("method-criterion-unknown", lang)
        elif id_ in shown["failing"] or lower < at.condition - EPSILON:
            verdict = word("method-criterion-failing", lang, threshold=threshold)
        else:
            verdict = word("method-criterion-met", lang)
        cells = [
            word("method-unknown", lang) if index[side] is None else number(index[side], lang, digits=2)
            for side in (*VOICES, "combined")
        ]
        rows.append((matrix.title("conditions", id_, lang), [*cells, verdict]))
    heads = [matrix.title("lenses", lens, lang) for lens in VOICES]
    heads += [word("method-criterion-lower", lang), word("method-criterion-verdict", lang)]
    criteria = table(word("method-criterion", lang), heads, rows)
    gap = number(at.gap, lang, digits=2)
    end = [word("method-state-is", lang, state=word(f"state-{shown['state']}", lang))]
    end.append(word(f"method-state-{shown['state']}", lang, gap=gap))
    if shown["index"] is not None:
        end.append(word("method-index", lang, n=number(shown["index"], lang, digits=0)))
    return _head("method-step-state", lang) + _lines(lines) + criteria + _lines([" ".join(end)])


def _exposed(one: Mapping[str, Any], lang: str) -> list[str]:
    """Why the axis is exposed, or that it is not."""
    at, matrix = frame.matrix().thresholds, frame.matrix()
    threshold = number(at.exposure, lang, digits=2)
    lines = []
    for level in matrix.levels[2:]:
        if one["declared"] and one["declared"]["cells"][level.id]["low"] >= 1 - EPSILON:
            name = f"{level.number}. {level.title[lang]}"
            lines.append(word("method-exposed-cell", lang, level=name))
    presence = (one["conditions"]["presence"] or {}).get("declared")
    if presence is not None and presence >= at.exposure - EPSILON:
        x = number(presence, lang, digits=2)
        lines.append(word("method-exposed-presence", lang, x=x, threshold=threshold))
    return lines or [word("method-exposed-not", lang, threshold=threshold)]


def _level(number_: int, lang: str) -> str:
    if not number_:
        return word("method-no-level", lang)
    return next(one.title[lang] for one in frame.matrix().levels if one.number == number_)


def _signed(value: float, lang: str, digits: int) -> str:
    """A number with a true minus sign and never a negative zero."""
    return number(round(value, digits) + 0.0, lang, digits=digits).replace("-", MINUS)


def _head(key: str, lang: str, **values: str) -> str:
    return f'<h4 class="me-step">{escape(word(key, lang, **values))}</h4>'


def _lines(lines: list[str]) -> str:
    return "".join(f'<p class="fr-text">{escape(one)}</p>' for one in lines)


STEPS = (_cells, _positions, _gap, _retained, _state)
"""The working in order; each is the HTML of one step of a result, in one language."""
