"""The dashboard's script: language, navigation, one page. `pomey` serves it tuned; `streamlit run app.py` works."""

from functools import partial

import streamlit as st

from dashboard import (
    access,
    answering,
    campaigns,
    frame,
    home,
    inviting,
    library,
    method,
    results,
    showcase,
    sign_in,
)

st.set_page_config(layout="wide", initial_sidebar_state="collapsed", page_icon=frame.ICON)
lang = frame.settle_language()
visitor = access.visitor()
every = {
    "home": (home.page, "nav-home"),
    "campaign": (campaigns.page, "nav-campaign"),
    "answer": (answering.page, "nav-answer"),
    "invite": (inviting.page, "nav-invite"),
    "results": (results.page, "nav-results"),
    "showcase": (showcase.page, "nav-showcase"),
    "questionnaires": (library.page, "nav-library"),
    "method": (method.page, "nav-method"),
}
pages = {
    name: st.Page(
        sign_in.in_place_of(visitor, name) or page,
        title=frame.word(title, lang),
        url_path=name,
        default=name == "home",
    )
    for name, (page, title) in every.items()
}
here = st.navigation(list(pages.values()), position="hidden")
opened = {name: page for name, page in pages.items() if visitor.person.opens(name)}
frame.begin(opened, lang, partial(sign_in.corner, visitor.person))
with frame.guarded():
    here.run()
frame.end()
