"""The dashboard's script: language, navigation, one page. `pomey` serves it tuned; `streamlit run app.py` works."""

import streamlit as st

from dashboard import answering, frame, home, results

st.set_page_config(layout="wide", initial_sidebar_state="collapsed", page_icon=frame.ICON)
lang = frame.language()
pages = {
    "home": st.Page(home.page, title=frame.word("nav-home", lang), url_path="home", default=True),
    "answer": st.Page(answering.page, title=frame.word("nav-answer", lang), url_path="answer"),
    "results": st.Page(results.page, title=frame.word("nav-results", lang), url_path="results"),
}
here = st.navigation(list(pages.values()), position="hidden")
frame.begin(pages, lang)
with frame.in_words():
    here.run()
frame.end()
