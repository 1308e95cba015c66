"""What the script draws about signing in: the page of somebody it does not let in, and the way out for the others."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from html import escape
from pathlib import Path

import streamlit as st

from dashboard import access, frame

word = frame.word


def in_place_of(visitor: access.Visitor, page: str) -> Callable[[], None] | None:
    """What is drawn instead of a page for somebody it does not open to; none for the others."""
    if visitor.why:
        return partial(_kept_out, visitor)
    if visitor.person.opens(page):
        return None
    return partial(frame.go, "results") if page == "home" else _closed


def corner(person: access.Person) -> None:
    """The corner of every page: who is signed in, and the way out; nothing on this computer."""
    if person.id:
        _look()
        with st.container(
            key="frame-person", horizontal=True, vertical_alignment="center", gap="small", width="content"
        ):
            st.html(
                f'<p class="fr-person" title="{escape(person.name)}">{escape(person.name)}</p>',
                width="content",
            )
            _way_out()


def _kept_out(visitor: access.Visitor) -> None:
    """Tell somebody why nothing opens to them, and offer the one way on."""
    _look()
    with st.container(key="sign-in"):
        if visitor.why in {"no-access", "unverified"}:
            frame.heading(word(f"access-{visitor.why}-title"))
            frame.paragraph(word(f"access-{visitor.why}", identity=visitor.identity))
            _way_out()
        elif visitor.why == "unguarded":
            frame.heading(word("access-unguarded"))
            frame.paragraph(word("access-unguarded-why"))
        elif providers := access.providers():
            frame.heading(word("access-sign-in"))
            frame.paragraph(word("access-lead"))
            for one in providers:
                label = (
                    word("access-provider")
                    if len(providers) == 1
                    else word("access-provider-named", name=one)
                )
                default = one == "default"
                st.button(
                    frame.plain(label),
                    key=f"sign-in-{one}",
                    type="primary",
                    on_click=st.login if default else partial(st.login, one),
                )
            if access.passwords():
                _link(word("access-with-password"))
            frame.paragraph(word("access-respondent"), "small")
        else:
            frame.heading(word("access-ended"))
            frame.paragraph(word("access-ended-why"))
            _link(word("access-sign-in"))


def _look() -> None:
    st.html(f"<style>{Path(__file__).with_suffix('.css').read_text(encoding='utf-8')}</style>")


def _closed() -> None:
    """Tell somebody that their role does not open this page, and where they can go."""
    frame.heading(word("access-closed"))
    frame.paragraph(word("access-closed-why"))
    if st.button(word("see-results"), type="primary", key="to-results"):
        frame.go("results")


def _way_out() -> None:
    """The button that ends a sign-in, as the provider's and our own end differently."""
    if access.vouched_for():
        st.button(word("access-out"), key="sign-out", type="tertiary", on_click=st.logout)
    else:
        st.html(
            f'<form class="fr-out" method="post" action="/sign-out?lang={frame.language()}"><button>{escape(word("access-out"))}</button></form>',
            width="content",
        )


def _link(label: str) -> None:
    st.html(
        f'<p class="fr-text"><a href="/sign-in?lang={frame.language()}" target="_self">{escape(label)}</a></p>'
    )
