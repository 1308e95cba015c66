"""What every page stands in: language, navigation, style, the store, and what is kept from page to page."""

from __future__ import annotations

import re
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from html import escape
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard import access
from data import Campaign, Institution, Store, StoreError
from matrix import Matrix, Refused, Words, load_matrix
from questionnaires import Questionnaire, load_library
from reports import figure_css

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from streamlit.navigation.page import StreamlitPage

HERE = Path(__file__).parent
ICON = (HERE / "icon.svg").read_text(encoding="utf-8")
KEPT = ("lang", "campaign", "role", "respondent", "axis", "part")
"""What an address carries: enough to come back after a closed tab or a restarted server."""
NOTHING = "\N{EN DASH}"
"""Stands where nothing is known or said."""
SCRIPT = (HERE / "frame.js").read_text(encoding="utf-8")
_spoken: ContextVar[str] = ContextVar("spoken", default="")
_MARKDOWN = re.compile(r"([\\`*_\[\]$~<]|^\s*[#+>-]|(?<=^\d)[.)]|:(?=[a-z]))")


@cache
def words() -> Words:
    """Every word of the pages."""
    return Words.load(*sorted((HERE / "words").glob("*.yaml")))


def word(key: str, lang: str | None = None, **values: object) -> str:
    """One text of the pages, in the language being used unless told otherwise."""
    return words()(key, lang or language(), **values)


@st.cache_resource(show_spinner=False)
def store() -> Store:
    """The store the environment names, opened once for the process."""
    return Store.open()


@cache
def matrix() -> Matrix:
    """The matrix in use."""
    return load_matrix()


@cache
def questionnaires() -> dict[str, Questionnaire]:
    """The questionnaires in use, by id."""
    return load_library()


def language() -> str:
    """The language of this run of the script."""
    return _spoken.get() or settle_language()


def settle_language() -> str:
    """Settle the language at the start of a run: the one chosen, in the address, the browser's, the matrix's first."""
    known = matrix().languages
    browser = (st.context.locale or "").split("-")[0].lower()
    wishes = (st.session_state.get("lang"), st.query_params.get("lang"), browser)
    settled = next((str(one) for one in wishes if one in known), known[0])
    _spoken.set(settled)
    return settled


def kept(name: str) -> str:
    """What is kept under a name, from this session or else from the address; empty when nothing is."""
    if name not in st.session_state:
        st.session_state[name] = st.query_params.get(name, "")
    return str(st.session_state[name] or "")


def keep(**values: str) -> None:
    """Keep values for the other pages, for a reload and for a restarted server."""
    for name, value in values.items():
        st.session_state[name] = value


def empty(key: str, campaign: Campaign | None) -> None:
    """A page with nothing to show yet: what will be here, why it matters, and the one button."""
    heading(word(key))
    paragraph(word(f"{key}-why"))
    where = "home" if campaign is None else "answer"
    offered = where in st.session_state["pages"]
    if offered and st.button(word(f"to-{where}"), type="primary", key="to-start"):
        go(where)


def go(page: str, **values: str) -> None:
    """Leave for another page, taking along what is kept."""
    keep(**values)
    st.switch_page(st.session_state["pages"][page], query_params=_address())


def begin(pages: Mapping[str, StreamlitPage], lang: str, corner: Callable[[], None]) -> None:
    """Draw what stands above the page: style, product, pages, language, and what ``corner`` draws."""
    st.session_state["pages"] = pages
    for name in KEPT:
        kept(name)
    st.html(f"<style>{figure_css()}{_css()}</style>")
    st.html(f"<script>{SCRIPT}</script>", unsafe_allow_javascript=True)
    with st.container(key="frame", horizontal=True, vertical_alignment="center", gap="small"):
        st.html(
            f'<p class="fr-product" data-language="{lang}" data-lost="{escape(word("lost", lang))}">'
            f"{escape(word('product', lang))}</p>",
            width="content",
        )
        st.html(
            f'<details class="fr-menu"><summary>{escape(word("menu", lang))}</summary></details>',
            width="content",
        )
        with st.container(key="frame-pages", horizontal=True, gap=None, width="content"):
            for page in pages.values():
                st.page_link(page, query_params=_address())
        with st.container(key="frame-language", horizontal=True, gap="xsmall", width="content"):
            for one in matrix().languages:
                st.button(
                    word("language-name", one),
                    key=f"language-{one}",
                    type="tertiary",
                    on_click=keep,
                    kwargs={"lang": one},
                    disabled=one == lang,
                )
        corner()
    st.button(
        word("again", lang), key="again"
    )  # nobody sees it: the script presses it, and all is drawn anew


def end() -> None:
    """Write into the address what is kept, so that it can be reloaded, bookmarked and sent."""
    wanted = _address()
    if dict(st.query_params) != wanted:
        st.query_params.from_dict(wanted)


@contextmanager
def in_words() -> Iterator[None]:
    """Say in words, on the page, what a file or the store refuses."""
    try:
        yield
    except Refused as refused:
        st.error(word("trouble", why=plain(told(refused))))


def told(refused: Refused) -> str:
    """What was refused, as a page says it: where the store lies is nothing to its reader, where a file is wrong is."""
    return refused.sentences(language()) if isinstance(refused, StoreError) else refused.text(language())


@contextmanager
def guarded() -> Iterator[None]:
    """Stand around a whole page: what is refused is said in words; anything else is ours to mend, and said so."""
    try:
        with in_words():
            yield
    except Exception:
        with st.container(key="trouble-ours"):  # instead of the framework's sentence, always English
            note("trouble-ours", "▲", "alert")
        raise


def campaigns(*, archived: bool = False) -> list[Campaign]:
    """Every assessment that whoever is using the pages may see, latest year first.

    Those put away, or whose institution is, come only when asked for.
    """
    sees = access.person().sees
    away = {one.id for one in store().institutions() if one.archived}
    return [
        one
        for one in store().campaigns()
        if sees(one) and (archived or not (one.archived or one.institution in away))
    ]


def institutions() -> dict[str, Institution]:
    """Every institution by id where whoever is using the pages has a role."""
    role = access.person().role
    return {one.id: one for one in store().institutions() if role(one.id)}


def current(every: list[Campaign]) -> Campaign | None:
    """The assessment that is kept, else the latest own one, else the latest of all."""
    wanted = kept("campaign")
    chosen = next((one for one in every if one.id == wanted), None)
    if chosen is None and every:
        newest = sorted(every, key=lambda one: one.created, reverse=True)
        chosen = next((one for one in newest if not one.synthetic and one.kind == "assessment"), newest[0])
    if chosen is not None:
        keep(campaign=chosen.id)
    return chosen


def choose(every: list[Campaign]) -> Campaign | None:
    """The current assessment, with a selector above the page when there are several."""
    chosen = current(every)
    if chosen is None or len(every) == 1:
        return chosen
    houses = institutions()
    by_id = {one.id: one for one in every}
    name = "campaign-choice"
    if st.session_state.get(name) not in by_id:
        st.session_state[name] = chosen.id
    labels: dict[str, str] = {}
    for one in sorted(every, key=lambda one: one.created):
        label = same = f"{houses[one.institution].name} · {one.title}"
        # The browser tells a choice by its wording: two alike would be one.
        for number in count(2):
            if label not in labels.values():
                break
            label = f"{same} ({number})"
        labels[one.id] = label
    with st.container(key="frame-campaign"):
        picked = st.selectbox(
            word("choose-campaign"),
            list(by_id),
            format_func=labels.__getitem__,
            key=name,
            label_visibility="collapsed",
        )
    if picked != chosen.id:
        keep(campaign=picked, role="", respondent="", axis="", part="")
    return by_id[picked]


def pick(
    widget: Callable[..., Any],
    label: str,
    labels: Mapping[str, str],
    name: str,
    first: str = "",
    **looks: Any,
) -> str:
    """A choice among ids shown by their labels, which survives a change of language.

    ``widget`` is a radio or a selectbox. The browser remembers a choice by its wording, so each language has a widget
    of its own, and what was last picked is carried over.
    """
    ids = list(labels)
    last = st.session_state.get(f"picked|{name}", first)
    index = ids.index(last) if last in labels else 0
    value = widget(
        label, ids, index=index, format_func=labels.__getitem__, key=f"{name}|{language()}", **looks
    )
    st.session_state[f"picked|{name}"] = value
    return str(value)


def unpick(*names: str) -> None:
    """Forget choices, so that their first value counts again."""
    for name in names:
        st.session_state.pop(f"picked|{name}", None)
        for lang in matrix().languages:
            st.session_state.pop(f"{name}|{lang}", None)


def questionnaire_of(campaign: Campaign) -> Questionnaire | None:
    """The questionnaire an assessment is pinned to; says so on the page when it is not here as it was."""
    found = questionnaires().get(campaign.questionnaire)
    if found is None or found.version != campaign.version:
        st.error(plain(word("trouble-questionnaire", id=campaign.questionnaire, version=campaign.version)))
        return None
    if found.fingerprint != campaign.fingerprint:
        st.warning(plain(word("trouble-fingerprint", id=campaign.questionnaire)))
    return found


def banner(campaign: Campaign) -> None:
    """Say what must never be mistaken: an invented example, or a text that was read."""
    if campaign.kind == "reading":
        note("reading-banner", "◇")
    elif campaign.synthetic:
        note("synthetic-banner", "◇")


def tag(campaign: Campaign) -> str:
    """The mark, as HTML, that an example or a reading carries wherever its name stands; nothing for the others."""
    if campaign.kind != "reading" and not campaign.synthetic:
        return ""
    return f'<span class="fr-tag">{escape(word("reading" if campaign.kind == "reading" else "synthetic"))}</span>'


def note(key: str, sign: str, tone: str = "calm", **values: object) -> None:
    """A quiet note with a sign and a sentence; ``tone`` is ``calm`` or ``alert``, ``values`` fill the sentence."""
    st.html(
        f'<p class="fr-note fr-{tone}"><span aria-hidden="true">{sign}</span><span>{escape(word(key, None, **values))}</span></p>'
    )


def heading(text: str, level: int = 1) -> None:
    """A heading of our own text, drawn without an anchor link."""
    st.html(f'<h{level} class="fr-h{level}">{escape(text)}</h{level}>')


def paragraph(text: str, kind: str = "text") -> None:
    """A paragraph of plain text; ``kind`` is ``text``, ``lead`` or ``small``."""
    st.html(f'<p class="fr-{kind}">{escape(text)}</p>')


def plain(text: str) -> str:
    """Text for a label that reads Markdown, so that it shows exactly what was written."""
    return _MARKDOWN.sub(r"\\\1", text)  # no more than needed: screen readers hear the backslashes


def lens_of(role: str) -> str:
    """The lens a role answers for."""
    return matrix().lens_of[role]


def _address() -> dict[str, str]:
    values: dict[str, Any] = {name: st.session_state.get(name, "") for name in KEPT}
    values["lang"] = language()
    return {name: str(value) for name, value in values.items() if value}


@cache
def _css() -> str:
    return (HERE / "look.css").read_text(encoding="utf-8")
