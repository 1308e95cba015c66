"""The dashboard's script: language, navigation, one page. `pomey` serves it tuned; `streamlit run app.py` works."""

import streamlit as st

from dashboard import answering, frame, home, library, method, results, showcase

st.set_page_config(layout="wide", initial_sidebar_state="collapsed", page_icon=frame.ICON)
lang = frame.settle_language()
pages = {
    "home": st.Page(home.page, title=frame.word("nav-home", lang), url_path="home", default=True),
    "answer": st.Page(answering.page, title=frame.word("nav-answer", lang), url_path="answer"),
    "results": st.Page(results.page, title=frame.word("nav-results", lang), url_path="results"),
    "showcase": st.Page(showcase.page, title=frame.word("nav-showcase", lang), url_path="showcase"),
    "questionnaires": st.Page(library.page, title=frame.word("nav-library", lang), url_path="questionnaires"),
    "method": st.Page(method.page, title=frame.word("nav-method", lang), url_path="method"),
}
here = st.navigation(list(pages.values()), position="hidden")
frame.begin(pages, lang)
with frame.in_words():
    here.run()
frame.end()
