"""Home: institutions and assessments, who has answered, and the one next step."""

from __future__ import annotations

import datetime as dt
from html import escape

import streamlit as st

from dashboard import access, frame
from dashboard.paging import minutes_for
from dashboard.results import scope_of
from data import Campaign, Institution, Invitations, Progress, Standing
from data.demo import load_example
from matrix import day, percent

word = frame.word
COUNTRIES = ("be", "fr", "lu", "ch", "nl", "ca", "other")
TYPES = ("university", "general", "psychiatric", "rehabilitation", "other")
QUESTIONNAIRE = "hospital"
TITLE_LIMIT = 120
LISTED = 10
"""More assessments than that are chosen from a list that can be searched."""
HALF = 0.5
"""Under this share of answers, those who answered may not speak for the others."""


def page() -> None:
    """Draw the page."""
    every = frame.campaigns()
    if not every:
        if not frame.campaigns(archived=True):
            _welcome()
            return
        all_away()
    many = len(every) > LISTED
    chosen = frame.choose(every) if many else frame.current(every)
    first = chosen is not None and all(one.synthetic or one.kind == "reading" for one in every)
    if chosen is not None:
        _assessment(chosen, first=first)
        if not many:
            _others([one for one in every if one.id != chosen.id])
    if not first and _begins():
        with st.expander(word("new-assessment"), key="new-assessment"):
            _new()
    if _begins() and not any(one.synthetic for one in every):
        _example("secondary")


def managed() -> dict[str, Institution]:
    """The institutions in use where whoever is using the pages may set up campaigns, by id."""
    may = access.person().may
    return {id_: one for id_, one in frame.institutions().items() if may("manage", id_) and not one.archived}


def all_away() -> None:
    """Say that every assessment is in the archive, and lead there whoever may look."""
    frame.heading(word("all-away"))
    frame.paragraph(word("all-away-why"))
    if "campaign" in st.session_state["pages"] and st.button(word("all-away-show"), key="all-away-show"):
        st.session_state["ca-away"] = True
        frame.go("campaign")


def _begins() -> bool:
    """Whether whoever is using the pages may begin an assessment somewhere."""
    return bool(managed()) or access.person().may("manage", "*")


def _welcome() -> None:
    """What a first visitor sees: what it is, an example, and a start; nothing is asked."""
    frame.heading(word("home-title"))
    frame.paragraph(word("home-lead"), "lead")
    lenses = "".join(
        f'<li><i aria-hidden="true" class="fr-{lens}"></i>{_bold(word(f"home-lens-{lens}"))}</li>'
        for lens in ("declared", "experienced", "documented")
    )
    st.html(f'<ul class="fr-lenses">{lenses}</ul>')
    if not _begins():
        return
    left, right = st.columns(2, gap="large")
    with left:
        _example("primary")
        frame.paragraph(word("open-example-help"), "small")
    with right:
        if st.button(word("create-own"), key="create-own", width="stretch"):
            st.session_state["creating"] = True
        frame.paragraph(word("create-own-help"), "small")
        if not access.person().id:
            frame.paragraph(word("create-own-here"), "small")
    if st.session_state.get("creating"):
        frame.heading(word("new-assessment"), 2)
        _new()


def _example(kind: str) -> None:
    if st.button(
        word("open-example"),
        key="open-example",
        type="primary" if kind == "primary" else "secondary",
        width="stretch" if kind == "primary" else "content",
    ):
        with frame.in_words():
            made = load_example(frame.store(), frame.language())
            frame.go("results", campaign=made, role="", respondent="", axis="", part="")


def _assessment(campaign: Campaign, *, first: bool) -> None:
    """The current assessment: who it is about, what to do next, who has answered.

    ``first``: there is no assessment of one's own yet, so its start stands right after the example's next step.
    """
    house = frame.institutions()[campaign.institution]
    st.html(f'<h1 class="fr-h1">{escape(house.name)} · {escape(campaign.title)}{frame.tag(campaign)}</h1>')
    parts = [
        str(campaign.year),
        "" if campaign.kind == "reading" else scope_of(campaign),
        "" if campaign.kind == "reading" else word(f"form-{campaign.form}"),
        "" if campaign.kind == "reading" else word(f"state-of-{campaign.state}"),
    ]
    frame.paragraph(" · ".join(part for part in parts if part), "small")
    frame.banner(campaign)
    progress = frame.store().progress(campaign.id)
    _next_step(campaign, progress)
    if first and _begins():
        with st.expander(word("create-own"), key="new-assessment"):
            _new()
    if campaign.kind != "reading":
        who_answered(progress, Invitations(frame.store()).standing(campaign.id))


def _next_step(campaign: Campaign, progress: list[Progress]) -> None:
    """The one thing to do next, and beside it the one that may be done instead."""
    step, *ways = _step(campaign, progress)
    places: dict[str, tuple[str, dict[str, str]]] = {
        "next-first-button": ("answer", dict.fromkeys(("role", "respondent", "axis", "part"), "")),
        "more-answers": ("answer", dict.fromkeys(("role", "respondent", "axis", "part"), "")),
        "next-patients-button": ("invite", {}),
        "next-open-button": ("campaign", {"turning": f"open|{campaign.id}"}),
        "next-close-button": ("campaign", {"turning": f"close|{campaign.id}"}),
        "next-did-button": ("campaign", {}),
        "see-results": ("results", {}),
    }
    offered = [way for way in ways if places[way][0] in st.session_state["pages"]]
    with st.container(border=True, key="next-step"):
        frame.heading(word("next-step"), 2)
        frame.paragraph(word(step, n=frame.matrix().thresholds.n_min))
        with st.container(horizontal=True):
            for place, way in enumerate(offered):
                target, values = places[way]
                kind = "secondary" if place else "primary"
                if st.button(word(way), key=f"next-{target}", type=kind):  # type: ignore[arg-type]
                    frame.unpick("who-side", "who-role-declared", "who-role-experienced")
                    frame.go(target, **values)


def _step(campaign: Campaign, progress: list[Progress]) -> tuple[str, ...]:
    """The key of the next step's sentence and those of its buttons, the first one first."""
    people = {"declared": 0, "experienced": 0}
    for one in progress:
        if lens := frame.matrix().lens_of.get(one.role):  # a role that the matrix had once counts on no side
            people[lens] += one.respondents
    manages, answers = (access.person().may(right, campaign.institution) for right in ("manage", "answer"))
    few = people["experienced"] < frame.matrix().thresholds.n_min
    steps = (
        (campaign.kind == "reading", ("next-reading", "see-results")),
        (campaign.state == "closed", ("next-results", "see-results", "next-did-button")),
        (not manages and campaign.state == "draft", ("next-waits",)),
        (not manages and not answers, ("next-read", "see-results")),
        (not manages, ("next-answer", "more-answers", "see-results")),
        (campaign.state == "draft", ("next-open", "next-open-button", "next-patients-button")),
        (not any(people.values()), ("next-first", "next-first-button", "next-patients-button")),
        (not people["experienced"], ("next-patients", "next-patients-button", "see-results")),
        (not people["declared"], ("next-institution", "next-first-button", "next-patients-button")),
        (few, ("next-few", "next-patients-button", "next-close-button")),
    )
    return next(
        (step for holds, step in steps if holds), ("next-close", "next-close-button", "next-patients-button")
    )


def who_answered(progress: list[Progress], standing: list[Standing]) -> None:
    """By role: how many were invited, have started and have sent, by link; and all who answered, by any way."""
    frame.heading(word("progress"), 2)
    lang = frame.language()
    answered, invited = {one.role: one for one in progress}, {one.role: one for one in standing}
    names = ["progress-invited", "progress-started", "progress-submitted", "progress-rate", "progress-people"]
    rows = []
    for lens in ("declared", "experienced"):
        side = escape(word(f"side-{lens}"))
        rows.append(f'<tr class="fr-group"><th scope="colgroup" colspan="{len(names) + 2}">{side}</th></tr>')
        for role in (one for one in frame.matrix().roles if one.lens == lens):
            one, links = answered.get(role.id), invited.get(role.id)
            numbers = [*_by_link(links), str(one.respondents if one else 0)]
            cells = "".join(
                f'<td class="fr-n{" fr-unknown" if number == frame.NOTHING else ""}" data-name="{escape(word(name))}">{number}</td>'
                for name, number in zip(names, numbers, strict=True)
            )
            last = day(one.last_at.date(), lang) if one else word("nobody")
            head = f' data-name="{escape(word("progress-last"))}"' if one else ""
            kind = "" if one or links else ' class="fr-none"'
            rows.append(
                f'<tr{kind}><th scope="row">{escape(role.title[lang])}</th>{cells}<td{head}>{escape(last)}</td></tr>'
            )
    heads = "".join(f'<th scope="col" class="fr-n">{escape(word(name))}</th>' for name in names)
    st.html(
        f'<table class="fr-table fr-stack"><thead><tr><th scope="col">{escape(word("progress-role"))}</th>{heads}'
        f'<th scope="col">{escape(word("progress-last"))}</th></tr></thead><tbody>{"".join(rows)}</tbody></table>'
    )
    if any(one.rate is not None and one.rate < HALF for one in standing):
        frame.note("progress-low", "▽")
    if any(one.rate is None for one in standing):
        frame.paragraph(word("progress-unknown"), "small")
    frame.paragraph(word("progress-note"), "small")


def _by_link(links: Standing | None) -> list[str]:
    """Invited, started, sent, and the share that sent, as the table says them."""
    if links is None:
        return [frame.NOTHING] * 4
    rate = frame.NOTHING if links.rate is None else percent(links.rate, frame.language())
    if links.rate is not None and links.rate < HALF:
        rate = word("progress-rate-low", rate=rate)
    return [str(links.invited or frame.NOTHING), str(links.started), str(links.submitted), rate]


def _others(campaigns: list[Campaign]) -> None:
    if not campaigns:
        return
    houses = frame.institutions()
    frame.heading(word("others"), 2)
    for campaign in campaigns:
        with st.container(horizontal=True, vertical_alignment="center", key=f"other-{campaign.id}"):
            name = f"{houses[campaign.institution].name} · {campaign.title}"
            if st.button(word("open-this-name", name=frame.plain(name)), key=f"open-{campaign.id}"):
                frame.keep(campaign=campaign.id, role="", respondent="", axis="", part="")
                st.session_state.pop("campaign-choice", None)
                st.rerun()
            if mark := frame.tag(campaign):
                st.html(f'<p class="fr-text">{mark}</p>', width="content")


def _new() -> None:
    """The form of a new assessment, with everything but the name filled in beforehand."""
    year = dt.datetime.now(tz=dt.UTC).year
    houses = {id_: one for id_, one in managed().items() if not one.synthetic}
    questionnaire = frame.questionnaires()[QUESTIONNAIRE]
    example = word("default-title", year=year)
    with st.form("new", border=False):
        known = ""
        if houses:
            labels = {"": word("field-institution-new")} if access.person().may("manage", "*") else {}
            labels |= {id_: one.name for id_, one in houses.items()}
            known = frame.pick(st.selectbox, word("field-institution"), labels, "new-house")
        name = st.text_input(
            word("field-name"), placeholder=word("field-name-hint"), key="new-name", max_chars=TITLE_LIMIT
        )
        one, two = st.columns(2)
        countries = {id_: word(f"country-{id_}") for id_ in COUNTRIES}
        country = frame.pick(one.selectbox, word("field-country"), countries, "new-country")
        types = {id_: word(f"type-{id_}") for id_ in TYPES}
        type_ = frame.pick(two.selectbox, word("field-type"), types, "new-type", "general")
        three, four = st.columns(2)
        title = three.text_input(word("field-title"), value=example, key="new-title", max_chars=TITLE_LIMIT)
        when = four.number_input(word("field-year"), 2000, 2100, year, key="new-year")
        scope = st.text_input(
            word("field-scope"),
            value=word("default-scope"),
            placeholder=word("field-scope-hint"),
            key="new-scope",
            max_chars=TITLE_LIMIT,
        )
        sizes = {id_: len(questionnaire.form(id_)) for id_ in ("express", "full")}
        forms = {id_: word(f"form-choice-{id_}", n=n, minutes=minutes_for(n)) for id_, n in sizes.items()}
        form = frame.pick(st.radio, word("field-form"), forms, "new-form")
        sent = st.form_submit_button(word("create"), type="primary")
    if not sent:
        return
    problems = []
    if not known and not name.strip():
        problems.append(word("error-name"))
    if not title.strip():
        problems.append(word("error-title", example=example))
    for problem in problems:
        st.error(problem)
    if problems:
        return
    with frame.in_words():
        author = access.author()
        house_id = known
        if not known:
            house = frame.store().add_institution(name.strip(), country=country, type=type_, author=author)
            house_id = house.id
        campaign = frame.store().add_campaign(
            house_id,
            questionnaire,
            title=title.strip(),
            year=int(when),
            scope=scope.strip(),
            form=form,
            languages=frame.matrix().languages,
            author=author,
        )
        st.session_state.pop("campaign-choice", None)
        st.session_state["creating"] = False
        frame.go("answer", campaign=campaign.id, role="", respondent="", axis="", part="")


def _bold(text: str) -> str:
    """Our own catalogue text with its one ``**bold**`` run as HTML."""
    first, bold, rest = escape(text).split("**", 2)
    return f"{first}<strong>{bold}</strong>{rest}"
