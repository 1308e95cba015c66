"""Results: the sentence, the matrix, what it rests on, and why."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from html import escape
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard import frame
from data import Campaign
from matrix import number, percent
from reports import headline, matrix_csv, matrix_svg, matrix_table_html
from scoring import CRITERIA, load_rulebook, score

if TYPE_CHECKING:
    from questionnaires import Questionnaire

word = frame.word
ICONS = {
    "none": "○",
    "sound": "●",
    "unproven": "?",
    "emerging": "◔",
    "watch": "◑",
    "high": "▲",
    "critical": "▲▲",
}
EPSILON = 1e-9
NOTHING = "\N{EN DASH}"
SEVERITIES = ("critical", "high", "medium", "low")


def page() -> None:
    """Draw the page."""
    every = frame.campaigns()
    if not every:
        frame.empty("results-empty", None)
        return
    campaign = frame.choose(every)
    questionnaire = frame.questionnaire_of(campaign) if campaign else None
    if campaign is None or questionnaire is None:
        return
    result, trace = scored(campaign)
    if not any(result["respondents"].values()):
        frame.empty("results-empty", campaign)
        return
    _top(campaign, result)
    if campaign.kind == "reading":
        _places(campaign, questionnaire)
    else:
        _showcase(result)
        _explained(result)
        _findings(campaign, questionnaire, result, trace)
        _lenses(result)
        _trace(campaign, questionnaire, result, trace)
        _unjudged(campaign, questionnaire, result, trace)
    _downloads(campaign, result)


def warm() -> None:
    """Load what the first visitor would otherwise wait for."""
    load_rulebook()


def scored(campaign: Campaign) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The score object and the trace of an assessment as of today."""
    return _scored(campaign.id, _stamp(campaign.id), dt.datetime.now(tz=dt.UTC).date())


@st.cache_data(show_spinner=False, max_entries=64)
def _scored(
    campaign_id: str,
    stamp: str,  # noqa: ARG001  # a part of the key: new answers or evidence, new score
    on: dt.date,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The score object and the trace of one assessment; kept until an answer or a piece of evidence comes."""
    store = frame.store()
    campaign = store.campaign(campaign_id)
    scores = score(
        frame.questionnaires()[campaign.questionnaire],
        store.answers([campaign_id]),
        evidence=store.evidence([campaign_id]),
        assessments=store.assessments([campaign_id]),
        on=on,
        form=campaign.form,
    )
    return scores.to_json()[0], scores.trace(campaign_id)


def _stamp(campaign_id: str) -> str:
    """What changes whenever the facts of an assessment do."""
    store = frame.store()
    return f"{store.progress(campaign_id)}{store.evidence([campaign_id]).num_rows}"


def _top(campaign: Campaign, result: dict[str, Any]) -> None:
    """Headline, what it is about, and the figure."""
    lang, title = frame.language(), _name(campaign)
    frame.heading(headline(result, frame.matrix(), lang, title=title))
    st.html(f'<p class="fr-small">{escape(subtitle(campaign, result))}{frame.tag(campaign)}</p>')
    if campaign.kind == "reading":
        frame.banner(campaign)
    people = result["respondents"]
    if campaign.kind != "reading" and not people["experienced"]:
        frame.note("banner-no-patients", "▲", "alert")
        if st.button(word("ask-patients"), key="ask-patients", type="primary"):
            frame.unpick("who-side", "who-role-experienced")
            frame.go("answer", role="patient", respondent="", axis="", part="")
    elif campaign.kind != "reading" and not people["declared"]:
        frame.note("banner-no-institution", "▲", "alert")
    st.html(matrix_table_html(result, frame.matrix(), lang, title=title, reasons=campaign.out_of_scope))


def _name(campaign: Campaign) -> str:
    return f"{frame.institutions()[campaign.institution].name} · {campaign.title}"


def subtitle(campaign: Campaign, result: dict[str, Any]) -> str:
    """What a result is about: institution, assessment, form and who answered."""
    people = word("people-reading")
    if campaign.kind != "reading":
        sides = {lens: _people(count, lens) for lens, count in result["respondents"].items()}
        people = word("people", **sides)
    house = frame.institutions()[campaign.institution].name
    return word(
        "subtitle",
        institution=house,
        title=campaign.title,
        form=word(f"form-{campaign.form}"),
        people=people,
    )


def _people(count: int, lens: str) -> str:
    n_min = frame.matrix().thresholds.n_min
    if not count:
        return word("people-none")
    if lens == "experienced" and count < n_min:
        return word("people-few", n=n_min)
    return word("people-some", n=count)


def _explained(result: dict[str, Any]) -> None:
    """The words in the figure that need a sentence, only those that occur in it."""
    axes = [one for one in result["axes"].values() if one["applicable"]]
    lines = []
    if any(one["retained"] and one["retained"]["thin"] for one in axes):
        lines.append(word("thin-why", n=frame.matrix().thresholds.n_min))
    if any(one["unilateral"] for one in axes) and all(result["respondents"].values()):
        lines.append(word("unilateral-why"))
    lenses = [one[lens] for one in axes for lens in ("declared", "experienced") if one[lens]]
    if any(not lens["complete"] for lens in lenses):
        lines.append(word("incomplete-why"))
    lang, share = frame.language(), result["completeness"]
    shown = {lens: percent(share[lens], lang) if share[lens] is not None else NOTHING for lens in share}
    if 0 < result["respondents"]["experienced"] < frame.matrix().thresholds.n_min:
        shown["experienced"] = word("sc-withheld")
    lines.append(word("completeness", **shown))
    if result["summary"]["median"] is not None:
        lines.append(
            word(
                "summary",
                median=number(result["summary"]["median"], lang),
                minimum=number(result["summary"]["minimum"], lang),
            )
        )
    st.html(f'<ul class="fr-explain">{"".join(f"<li>{escape(line)}</li>" for line in lines)}</ul>')


def _showcase(result: dict[str, Any]) -> None:
    if not result["respondents"]["declared"]:
        return
    lang, matrix = frame.language(), frame.matrix()
    frame.heading(word("section-showcase"), 2)
    entries = []
    for axis, one in result["axes"].items():
        if not one["applicable"] or not (one["declared"] or one["experienced"]):
            continue
        show = one["showcase"]
        state = "sound-alone" if sound_alone(one) else show["state"]
        why = [word(f"state-{state}-why")] if state in ("none", "sound", "sound-alone", "emerging") else []
        if show["state"] != "none":
            for key, names in (("state-failing", show["failing"]), ("state-unknown", show["unproven"])):
                if names:
                    listed = ", ".join(matrix.title("conditions", name, lang).lower() for name in names)
                    why.append(word(key, conditions=listed))
            if show["index"] is not None and show["failing"]:
                why.append(word("index", n=number(show["index"], lang, digits=0)))
        entries.append(
            f'<li class="fr-state-{show["state"]}"><span class="fr-axis">{escape(matrix.title("axes", axis, lang))}</span>'
            f'<b><span aria-hidden="true">{ICONS[show["state"]]} </span>{escape(word("state-" + state))}</b>'
            + "".join(f"<small>{escape(line)}</small>" for line in why)
            + "</li>"
        )
    st.html(f'<ul class="fr-states">{"".join(entries)}</ul>')
    frame.paragraph(word("section-showcase-why"), "small")


def sound_alone(one: dict[str, Any]) -> bool:
    """Whether an axis looks sound on the institution's word alone: no patient spoke on any of the criteria."""
    values = [one["conditions"][name] or {} for name in CRITERIA]
    return one["showcase"]["state"] == "sound" and all(each.get("experienced") is None for each in values)


def _findings(
    campaign: Campaign, questionnaire: Questionnaire, result: dict[str, Any], trace: list[dict[str, Any]]
) -> None:
    from dashboard import showcase  # noqa: PLC0415  # it draws on this module

    case = showcase.Case(campaign, questionnaire, result, trace)
    lang, rules = frame.language(), load_rulebook()
    frame.heading(word("section-findings"), 2)
    if not result["findings"]:
        frame.paragraph(word("findings-none"), "small")
        return
    grouped: dict[str, list[dict[str, Any]]] = {}
    for found in sorted(result["findings"], key=lambda one: SEVERITIES.index(one["severity"])):
        grouped.setdefault(found["rule"], []).append(found)
    for id_, group in grouped.items():
        rule, severity = rules[id_], group[0]["severity"]
        lines = []
        for found in group:
            # a flag alone says nothing that the sentence above has not said; beside a figure it is left out
            figures = [one for one in found["because"] if not isinstance(one.get("value"), bool)]
            facts = [showcase.fact_line(case, one) for one in figures or found["because"]]
            lines += [f"<li>{escape(fact)}</li>" for fact in dict.fromkeys(facts)]
        st.html(
            f'<div class="fr-finding fr-sev-{severity}"><h3 class="fr-h3">{escape(rule.title[lang])} '
            f'<span class="fr-tag">{escape(word("severity-" + severity))}</span></h3>'
            f"<dl><dt>{escape(word('because'))}</dt><dd>{escape(rule.because[lang])}"
            f'<ul class="fr-explain">{"".join(lines)}</ul></dd>'
            f"<dt>{escape(word('to-do'))}</dt><dd>{escape(rule.advice[lang])}</dd>"
            f"<dt>{escape(word('clears'))}</dt><dd>{escape(rule.clears_when[lang])}</dd></dl></div>"
        )


def _lenses(result: dict[str, Any]) -> None:
    """Every position with its bounds: the table behind the figure."""
    lang, matrix, rules = frame.language(), frame.matrix(), load_rulebook()
    frame.heading(word("section-lenses"), 2)
    frame.paragraph(word("lenses-note"), "small")
    lenses = [(lens.id, lens.title[lang]) for lens in matrix.lenses]
    columns = [name for _, name in lenses] + [word("retained"), word("decided-by")]
    rows = []
    for axis in matrix.axes:
        one = result["axes"][axis.id]
        kept = one["retained"]
        cells = [_range(one[lens]) for lens, _ in lenses] + [_range(kept)]
        by = matrix.title("lenses", kept["decided_by"], lang) if kept else NOTHING
        if kept and kept["ceilings"]:
            by += " · " + ", ".join(rules[id_].title[lang] for id_ in kept["ceilings"])
        rows.append((axis.title[lang], [*cells, by]))
    st.html(table(word("trace-axis"), columns, rows))


def _range(lens: dict[str, Any] | None) -> str:
    lang = frame.language()
    if lens is None:
        return NOTHING
    low = number(int(lens["position"] * 10 + 1e-6) / 10, lang)
    if lens["complete"]:
        return low
    return word("position-range", low=low, high=number(int(lens["high"] * 10 + 1e-6) / 10, lang))


def _trace(
    campaign: Campaign, questionnaire: Questionnaire, result: dict[str, Any], trace: list[dict[str, Any]]
) -> None:
    """From any cell down to the answers that made it."""
    lang, matrix = frame.language(), frame.matrix()
    with st.container(key="trace"):
        frame.heading(word("section-trace"), 2)
        frame.paragraph(word("trace-intro"), "small")
        axes = [a for a in matrix.ids("axes") if result["axes"][a]["applicable"]]
        if not axes:
            return
        left, right = st.columns(2)
        names = {id_: matrix.title("axes", id_, lang) for id_ in axes}
        axis = frame.pick(left.selectbox, word("trace-axis"), names, "trace-axis", _widest(result, axes))
        steps = {one.id: f"{one.number}. {one.title[lang]}" for one in matrix.levels}
        blocking = _blocking(result["axes"][axis])
        level = frame.pick(right.selectbox, word("trace-level"), steps, f"trace-level-{axis}", blocking)
        said = _answers_given(campaign, questionnaire)
        for lens in ("declared", "experienced"):
            rows = [r for r in trace if r["axis"] == axis and r["level"] == level and r["lens"] == lens]
            few = result["respondents"][lens] < matrix.thresholds.n_min
            _trace_lens(questionnaire, lens, level, rows, said, hidden=lens == "experienced" and few)


def _widest(result: dict[str, Any], axes: list[str]) -> str:
    """The axis where both sides differ most: the one the headline is about."""
    return max(axes, key=lambda axis: result["axes"][axis]["gap"] or 0)


def _blocking(one: dict[str, Any]) -> str:
    """The first level that the deciding lens has not attained, or the last one."""
    lens = one[one["retained"]["decided_by"]] if one["retained"] else one["declared"] or one["experienced"]
    levels = frame.matrix().ids("levels")
    return next(
        (id_ for id_ in levels if lens and (lens["cells"][id_]["low"] or 0) < 1 - EPSILON), levels[-1]
    )


def _answers_given(campaign: Campaign, questionnaire: Questionnaire) -> dict[tuple[str, str], dict[str, int]]:
    """How often each option was given, by lens and item, in the order of the scale."""
    counts: dict[tuple[str, str], dict[str, int]] = {}
    for row in frame.store().answers([campaign.id]).select(["role", "item", "answer"]).to_pylist():
        own = counts.setdefault((frame.lens_of(row["role"]), row["item"]), {})
        own[row["answer"]] = own.get(row["answer"], 0) + 1
    ordered = {}
    for (lens, item), own in counts.items():
        scale = [option.id for option in questionnaire.options(item, lens)]
        ordered[lens, item] = {id_: own[id_] for id_ in [*reversed(scale), "dk", "na"] if id_ in own}
    return ordered


def _trace_lens(
    questionnaire: Questionnaire,
    lens: str,
    level: str,
    rows: list[dict[str, Any]],
    said: dict[tuple[str, str], dict[str, int]],
    *,
    hidden: bool,
) -> None:
    lang, matrix = frame.language(), frame.matrix()
    name = matrix.title("lenses", lens, lang)
    if not any(row["role"] for row in rows):
        frame.paragraph(word("trace-none", lens=name))
        return
    if hidden:
        frame.note("trace-hidden", "◇", n=matrix.thresholds.n_min)
        return
    items: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        items.setdefault(row["item"], []).append(row)
    low, high = (rows[0][end] or 0.0 for end in ("low", "high"))
    shown = (
        percent(low, lang)
        if high - low < EPSILON
        else word("position-range", low=percent(low, lang), high=percent(high, lang))
    )
    thresholds = matrix.thresholds
    frame.paragraph(
        word(
            "trace-cell",
            lens=name,
            low=shown,
            n=len(items),
            tau=number(thresholds.tau, lang, digits=2),
            kappa=number(thresholds.kappa[matrix.number_of[level] - 1], lang, digits=2),
        )
    )
    body = [
        _trace_row(questionnaire, item, own, lens, said.get((lens, item), {})) for item, own in items.items()
    ]
    heads = [word("trace-x"), word("trace-role"), word("trace-answers")]
    st.html(table(word("trace-question"), heads, body, raw=True))


def _trace_row(
    questionnaire: Questionnaire, item: str, rows: list[dict[str, Any]], lens: str, said: dict[str, int]
) -> tuple[str, list[str]]:
    lang, matrix = frame.language(), frame.matrix()
    entry = questionnaire.item(item)
    ask = entry.asked_of(lens)
    question = escape(ask.text[lang] if ask else item)
    if rows[0]["core"]:
        question += f"<small>{escape(word('trace-key'))}</small>"
    x = rows[0]["x"]
    roles = []
    for row in rows:
        if row["role"] is None:
            continue
        role = matrix.title("roles", row["role"], lang)
        if row["mean"] is None:
            roles.append(word("trace-role-silent", role=role))
        else:
            mean = number(row["mean"], lang, digits=2)
            roles.append(word("trace-role-mean", role=role, mean=mean, n=row["n"]))
    texts = {option.id: option.text[lang] for option in questionnaire.options(item, lens)}
    given = [word("times", n=n, text=texts[id_]) for id_, n in said.items() if id_ in texts]
    given += [word(f"trace-{id_}", n=said[id_]) for id_ in ("dk", "na") if id_ in said]
    value = word("trace-unknown") if x is None else number(x, lang, digits=2)
    lines = "<br>".join
    return question, [escape(value), lines(map(escape, roles)), lines(map(escape, given))]


def _unjudged(
    campaign: Campaign, questionnaire: Questionnaire, result: dict[str, Any], trace: list[dict[str, Any]]
) -> None:
    from dashboard import showcase  # noqa: PLC0415  # it draws on this module

    if not result["unjudged"]:
        return
    case = showcase.Case(campaign, questionnaire, result, trace)
    lang, matrix, rules = frame.language(), frame.matrix(), load_rulebook()
    with st.expander(word("section-unjudged", n=len(result["unjudged"])), key="unjudged"):
        frame.paragraph(word("unjudged-why"), "small")
        lines = []
        for one in result["unjudged"]:
            title = rules[one["rule"]].title[lang]
            if one.get("axis"):
                title = word("finding-axis", title=title, axis=matrix.title("axes", one["axis"], lang))
            missing = word(
                "unjudged-missing",
                facts="; ".join(showcase.fact_name(case, fact) for fact in one["missing"]),
            )
            lines.append(f"<li>{escape(title)} ({escape(missing)})</li>")
        st.html(f'<ul class="fr-explain">{"".join(lines)}</ul>')


def _places(campaign: Campaign, questionnaire: Questionnaire) -> None:
    """For a reading: what the text says and where, question by question."""
    lang = frame.language()
    frame.heading(word("section-places"), 2)
    frame.paragraph(word("places-note"), "small")
    rows, silent = [], 0
    for row in frame.store().answers([campaign.id]).to_pylist():
        if row["answer"] == "dk":
            silent += 1
            continue
        lens = frame.lens_of(row["role"])
        ask = questionnaire.item(row["item"]).asked_of(lens)
        texts = {option.id: option.text[lang] for option in questionnaire.options(row["item"], lens)}
        said = texts.get(row["answer"]) or f"{word('option-na')} ({row['reason']})"
        rows.append((ask.text[lang] if ask else row["item"], [said, row["comment"]]))
    if rows:
        st.html(table(word("trace-question"), [word("answer"), word("place")], rows))
    if silent:
        frame.paragraph(word("places-silent", n=silent), "small")


def _downloads(campaign: Campaign, result: dict[str, Any]) -> None:
    lang, title = frame.language(), _name(campaign)
    stem = f"{campaign.year}_{_ascii(title)}_{word('file-figure')}_{lang}"
    frame.heading(word("section-downloads"), 2)
    with st.container(horizontal=True, key="downloads"):
        st.download_button(
            word("download-svg"),
            matrix_svg(
                result,
                frame.matrix(),
                lang,
                title=title,
                subtitle=_marked(campaign, subtitle(campaign, result)),
                reasons=campaign.out_of_scope,
            ),
            file_name=f"{stem}.svg",
            mime="image/svg+xml",
            key="download-svg",
            on_click="ignore",
        )
        st.download_button(
            word("download-csv"),
            matrix_csv(result, frame.matrix(), lang).encode("utf-8-sig"),
            file_name=f"{stem}.csv",
            mime="text/csv",
            key="download-csv",
            on_click="ignore",
        )


def _marked(campaign: Campaign, text: str) -> str:
    """A figure that travels says itself that it is an example or a reading."""
    if campaign.kind == "reading":
        return f"{text} · {word('reading')}"
    return f"{text} · {word('synthetic')}" if campaign.synthetic else text


def _ascii(text: str) -> str:
    """Text as a part of a file name that sorts and travels."""
    flat = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", flat).strip("-")[:60]


def table(first: str, columns: list[str], rows: list[tuple[str, list[str]]], *, raw: bool = False) -> str:
    """A plain table with row headings, stacked on a phone; ``raw`` cells are already HTML."""
    quote = (lambda text: text) if raw else escape
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in [first, *columns])
    body = "".join(
        f'<tr><th scope="row">{quote(head)}</th>'
        + "".join(
            f'<td data-name="{escape(name)}">{quote(cell)}</td>'
            for name, cell in zip(columns, cells, strict=True)
        )
        + "</tr>"
        for head, cells in rows
    )
    return f'<table class="fr-table fr-stack"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>'
