"""Questionnaires: every question as it is asked, in two languages; and a check of a file of one's own."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import frame
from dashboard.checking import check_document
from dashboard.showcase import citations
from matrix import Problem, load_document, number
from matrix.reader import SIZE_LIMIT
from questionnaires import Item, Questionnaire, check_questionnaire
from questionnaires.checker import LIBRARY

if TYPE_CHECKING:
    from collections.abc import Iterable

word = frame.word
LENSES = ("declared", "experienced")
ENDINGS = (".yaml", ".yml")
UPLOAD_MEGABYTES = 20
"""What the browser may send at all; the reader's own limit is lower, and it says so in the page's language."""
LISTED = 100
"""Errors shown at once: whoever has more mends these first."""
EXCERPT = 160
"""Characters shown of a line that is wrong."""


def page() -> None:
    """Draw the page."""
    st.html(f"<style>{_css()}</style>")
    frame.heading(word("lib-title"))
    frame.paragraph(word("lib-lead"))
    st.html(f'<p class="fr-text lib-jump"><a href="#check">{escape(word("lib-to-check"))}</a></p>')
    questionnaire = _choose()
    langs = _about(questionnaire)
    axis, level = _cell(questionnaire)
    st.html(_questions(questionnaire, axis, level, langs))
    _check()


def _css() -> str:
    """The page's look, and the words that the framework says in English only, in the page's language."""
    said = "".join(f'--{key}: "{word(key)}"; ' for key in ("lib-browse", "lib-too-large"))
    return f"{Path(__file__).with_suffix('.css').read_text(encoding='utf-8')}.stApp {{ {said}}}"


def _choose() -> Questionnaire:
    library, lang = frame.questionnaires(), frame.language()
    if len(library) == 1:
        return next(iter(library.values()))
    titles = {id_: one.title[lang] for id_, one in library.items()}
    return library[frame.pick(st.selectbox, word("lib-choose"), titles, "lib-questionnaire")]


def _about(questionnaire: Questionnaire) -> list[str]:
    """What the questionnaire is, its file, and the languages to show side by side, which are returned."""
    frame.heading(questionnaire.title[frame.language()], 2)
    declared, experienced = (
        sum(bool(item.asked_of(lens)) for item in questionnaire.items) for lens in LENSES
    )
    about = word(
        "lib-about",
        version=questionnaire.version,
        items=len(questionnaire.items),
        express=len(questionnaire.form("express")),
        declared=declared,
        experienced=experienced,
    )
    frame.paragraph(about, "small")
    left, middle, right = st.columns([1, 1, 2], vertical_alignment="bottom")
    right.download_button(
        word("lib-download"),
        (LIBRARY / f"{questionnaire.id}.yaml").read_bytes(),
        file_name=f"{questionnaire.id}-v{questionnaire.version}.yaml",
        mime="application/yaml",
        key="lib-download",
        on_click="ignore",
    )
    lang, known = frame.language(), frame.matrix().languages
    if (
        st.session_state.get("lib-page-language") != lang
    ):  # the page's language comes first until another is chosen
        frame.unpick("lib-first", "lib-second")
        st.session_state["lib-page-language"] = lang
    names = {one: word("language-name", one) for one in known}
    first = frame.pick(left.selectbox, word("lib-first"), names, "lib-first", lang)
    beside = {one: name for one, name in names.items() if one != first} | {"": word("lib-alone")}
    second = frame.pick(middle.selectbox, word("lib-second"), beside, "lib-second", next(iter(beside)))
    return [one for one in (first, second) if one]


# --- browsing ---------------------------------------------------------------------------------------------------


def _cell(questionnaire: Questionnaire) -> tuple[str, str]:
    """The axis and level chosen among the matrix of buttons; an empty level is the questions without one."""
    lang, matrix = frame.language(), frame.matrix()
    levels = {**{one.id: one.title[lang] for one in matrix.levels}, "": word("lib-no-level")}
    filled: dict[tuple[str, str], int] = {}
    for item in questionnaire.items:
        place = (item.axis, item.level or "")
        filled[place] = filled.get(place, 0) + 1
    chosen = st.session_state.get("lib-cell")
    if chosen not in filled:
        chosen = next(iter(filled))
    frame.heading(word("lib-cells"), 2)
    frame.paragraph(word("lib-cells-why"), "small")
    with st.container(key="lib-cells"):
        for axis in matrix.axes:
            with st.container(key=f"lib-row-{axis.id}", horizontal=True, vertical_alignment="center"):
                st.html(f'<p class="lib-axis">{escape(axis.title[lang])}</p>')
                for level, title in levels.items():
                    st.button(
                        word("lib-cell-button", level=title, n=filled.get((axis.id, level), 0)),
                        key=f"lib-cell-{axis.id}-{level or 'none'}",
                        type="primary" if (axis.id, level) == chosen else "secondary",
                        disabled=(axis.id, level) not in filled,
                        on_click=_open,
                        args=(axis.id, level),
                    )
    return chosen


def _open(axis: str, level: str) -> None:
    st.session_state["lib-cell"] = (axis, level)


def _questions(questionnaire: Questionnaire, axis: str, level: str, langs: list[str]) -> str:
    """A cell: what it means, then its questions."""
    lang, matrix = frame.language(), frame.matrix()
    items = [item for item in questionnaire.items if (item.axis, item.level or "") == (axis, level)]
    title = word(
        "lib-cell",
        axis=matrix.title("axes", axis, lang),
        level=matrix.title("levels", level, lang) if level else word("lib-no-level"),
    )
    meaning = next((one.text for one in matrix.cells if (one.axis, one.level) == (axis, level)), None)
    if meaning:
        about = "".join(f'<p class="fr-text" lang="{one}">{escape(meaning[one])}</p>' for one in langs)
    else:
        about = f'<p class="fr-text">{escape(word("lib-no-level-why"))}</p>'
    cards = "".join(_card(questionnaire, item, langs) for item in items)
    return (
        f'<section class="lib-questions"><h2 class="fr-h2">{escape(title)}</h2>'
        f'<div class="lib-grid lib-{len(langs)}">{about}</div>{cards}</section>'
    )


def _card(questionnaire: Questionnaire, item: Item, langs: list[str]) -> str:
    """One question: both wordings, what each answer means, proof, advice and sources."""
    tags = "".join(f'<span class="fr-tag">{escape(one)}</span>' for one in _tags(item))
    sides = [(lens, one) for lens in LENSES for one in langs]
    texts = "".join(f'<div lang="{one}">{_wording(item, lens, one)}</div>' for lens, one in sides)
    options = "".join(
        f'<div lang="{one}">{_options(questionnaire, item, lens, one)}</div>' for lens, one in sides
    )
    advice = "".join(f'<p lang="{one}">{escape(item.advice[one])}</p>' for one in langs)
    grid = f'class="lib-grid lib-{len(sides)}"'
    return (
        f'<article class="lib-item"><h3 class="lib-id">{escape(item.id)} {tags}</h3>'
        f"<div {grid}>{texts}</div>"
        f'<details class="lib-fold"><summary>{escape(word("lib-options"))}</summary><div {grid}>{options}</div></details>'
        f"<dl><dt>{escape(word('lib-evidence'))}</dt><dd>{escape(_evidence(item))}</dd>"
        f'<dt>{escape(word("lib-advice"))}</dt><dd class="lib-grid lib-{len(langs)}">{advice}</dd>'
        f"<dt>{escape(word('lib-sources'))}</dt><dd>{citations(item.sources)}</dd></dl></article>"
    )


def _tags(item: Item) -> Iterable[str]:
    """What counts about a question besides its cell."""
    lang = frame.language()
    if item.core:
        yield word("lib-core")
    if item.condition:
        name = frame.matrix().title("conditions", item.condition, lang)
        yield word("lib-condition", name=name[:1].lower() + name[1:])
    if item.express:
        yield word("lib-express")
    if item.weight != 1:
        yield word("lib-weight", n=number(item.weight, lang))
    if item.jurisdiction:
        key = f"country-{item.jurisdiction}"
        known = key if key in frame.words().texts else f"sc-reach-{item.jurisdiction}"
        yield word("lib-reach", name=word(known))


def _wording(item: Item, lens: str, lang: str) -> str:
    """A question as one side reads it in one language."""
    ask = item.asked_of(lens)
    side = word(
        "lib-side-language", lang, side=word(f"side-{lens}", lang), language=word("language-name", lang)
    )
    text = escape(ask.text[lang]) if ask else f"<i>{escape(word('lib-not-asked', lang))}</i>"
    return f'<p class="lib-side">{escape(side)}</p><p class="lib-text">{text}</p>'


def _options(questionnaire: Questionnaire, item: Item, lens: str, lang: str) -> str:
    """The answers one side can give, with their values and what they mean here."""
    ask = item.asked_of(lens)
    if ask is None:
        return ""
    rows = []
    for option in questionnaire.options(item.id, lens):
        anchor = ask.anchors.get(option.id)
        here = f"<small>{escape(word('lib-anchor', lang, text=anchor[lang]))}</small>" if anchor else ""
        rows.append(
            f'<tr><th scope="row">{escape(option.text[lang])}{here}</th>'
            f'<td class="fr-n">{number(option.value, lang)}</td></tr>'
        )
    side = word(
        "lib-side-language", lang, side=word(f"side-{lens}", lang), language=word("language-name", lang)
    )
    return (
        f'<table class="fr-table"><caption>{escape(side)}</caption><thead><tr>'
        f'<th scope="col">{escape(word("lib-option", lang))}</th>'
        f'<th scope="col" class="fr-n">{escape(word("lib-value", lang))}</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _evidence(item: Item) -> str:
    lang, matrix = frame.language(), frame.matrix()
    kinds = [matrix.title("evidence_kinds", kind, lang) for kind in item.evidence]
    return " · ".join(kinds) or word("lib-evidence-none")


# --- checking a file --------------------------------------------------------------------------------------------


def _check() -> None:
    """A file handed in, and everything that is wrong with it."""
    st.html(f'<h2 class="fr-h2" id="check">{escape(word("lib-check"))}</h2>')
    frame.paragraph(word("lib-check-why"))
    with st.container(key="lib-check"):
        given = st.file_uploader(
            word("lib-file", n=SIZE_LIMIT // 1_000_000),
            key="lib-file",
            max_upload_size=UPLOAD_MEGABYTES,
        )
    if given is None:
        return
    name = given.name
    if not name.lower().endswith(ENDINGS):
        st.html(_told("wrong", "✕", word("lib-not-yaml", file=name)))
        return
    data = given.getvalue()
    kind, problems, questionnaire = _judged(name, data)
    if not problems:
        st.html(_fine(name, kind, questionnaire))
        return
    st.html(_wrong(name, data, problems))
    st.download_button(
        word("lib-errors-download"),
        "".join(f"{one.text(frame.language())}\n" for one in problems),
        file_name=f"{Path(name).stem}.txt",
        mime="text/plain",
        key="lib-errors",
        on_click="ignore",
    )


@st.cache_data(show_spinner=False, max_entries=8)
def _judged(name: str, data: bytes) -> tuple[str, tuple[Problem, ...], Questionnaire | None]:
    """The kind of a file and its problems, the same as the command line finds, and the questionnaire if it is one."""
    document = load_document(data, name=name)
    kind, problems = check_document(document)
    fine = kind == "questionnaire" and not problems
    return kind, problems, check_questionnaire(document)[0] if fine else None


def _fine(name: str, kind: str, questionnaire: Questionnaire | None) -> str:
    """That nothing is wrong, and what the file is."""
    line = word("lib-fine", file=name, kind=word(f"lib-kind-{kind}"))
    about = ""
    if questionnaire is not None:
        title = questionnaire.title[frame.language()]
        version, items = questionnaire.version, len(questionnaire.items)
        about = word("lib-fine-questionnaire", title=title, version=version, items=items)
    return _told("fine", "✓", line, about)


def _wrong(name: str, data: bytes, problems: tuple[Problem, ...]) -> str:
    """Every problem with its line as it was written; nothing of the file is trusted."""
    lang, count = frame.language(), len(problems)
    head = word("lib-wrong-one", file=name) if count == 1 else word("lib-wrong", file=name, n=count)
    lines = data.decode("utf-8", errors="replace").splitlines()
    entries = []
    for one in problems[:LISTED]:
        written = lines[one.line - 1].strip()[:EXCERPT] if 0 < one.line <= len(lines) else ""
        shown = written.isprintable() and one.code != "too-large"
        code = f"<code>{escape(written)}</code>" if written and shown else ""
        entries.append(
            f"<li><b>{escape(word('lib-line', n=one.line))}</b> {code}<span>{escape(one.text(lang))}</span></li>"
        )
    more = word("lib-more", n=count - LISTED) if count > LISTED else ""
    return _told("wrong", "✕", head, more, f"<ol>{''.join(entries)}</ol>")


def _told(kind: str, sign: str, head: str, after: str = "", inside: str = "") -> str:
    """A block that says how the check went."""
    tail = f'<p class="fr-small">{escape(after)}</p>' if after else ""
    return (
        f'<div class="lib-verdict lib-{kind}" role="status"><p class="lib-head"><span aria-hidden="true">{sign} </span>'
        f"{escape(head)}</p>{inside}{tail}</div>"
    )
