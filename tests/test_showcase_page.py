"""The Showcase page: findings told whole and in words, grave ones first, nothing of too few patients."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

import pytest
from browser import LANGUAGES, PHONE, Server, Visitor, faults, ready, too_wide
from playwright.sync_api import Page
from test_pages import html, open_page, text_of

from dashboard import frame, showcase
from data import Answer, Campaign, Store
from data.demo import load_demo, load_example
from matrix import load_matrix, load_sources
from questionnaires import load_library
from scoring import disclosed, load_rulebook, score
from scoring.rules import compiled

OPEN_ALL = "document.querySelectorAll('details').forEach(one => { one.open = true })"


@pytest.fixture
def store(page_store: Store) -> Store:
    """An empty store that the page uses."""
    return page_store


@pytest.fixture
def example(store: Store) -> Campaign:
    """The example, in a store that the page uses."""
    return store.campaign(load_example(store))


@pytest.fixture
def own(store: Store) -> Campaign:
    """An assessment of a Belgian hospital that nobody has answered."""
    house = store.add_institution("A", country="be", type="general")
    return store.add_campaign(house.id, load_library()["hospital"], title="2026", year=2026)


def fill(store: Store, campaign: Campaign, role: str, people: int, option: int = -1) -> None:
    """Everyone of a role gives the same option on every question that is no safeguard."""
    questionnaire, lens = load_library()["hospital"], load_matrix().lens_of[role]
    store.save_many(
        [
            Answer(campaign.id, f"{role}-{n}", role, item.id, questionnaire.options(item.id, lens)[option].id)
            for n in range(people)
            for item in questionnaire.items
            if item.asked_of(lens) and item.condition != "safeguard"
        ]
    )


def case_of(store: Store, campaign: Campaign) -> showcase.Case:
    """What the page knows of an assessment."""
    questionnaire = load_library()["hospital"]
    result, trace = disclosed(
        questionnaire,
        store.answers([campaign.id]),
        evidence=store.evidence([campaign.id]),
        assessments=store.assessments([campaign.id]),
    )
    return showcase.Case(campaign, questionnaire, result, trace)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_finding_is_told_whole(lang: str, example: Campaign, store: Store) -> None:
    """Each finding has its sentence, advice, what clears it and its sources, in the page's language."""
    text = text_of(open_page("showcase", lang=lang, campaign=example.id))
    case = case_of(store, example)
    assert case.result["findings"]
    for found in case.result["findings"]:
        rule = load_rulebook()[found["rule"]]
        for part in (rule.title, rule.because, rule.advice, rule.clears_when):
            assert part[lang] in text
        for cited in rule.sources:
            assert load_sources()[cited.id].title in text
    for one in case.result["unjudged"]:
        assert load_rulebook()[one["rule"]].title[lang] in text
    assert f'data-language="{lang}"' in text


def test_grave_findings_are_in_view_and_the_rest_is_folded(example: Campaign) -> None:
    """Outside the folds stand high and critical findings only, inside them none of those."""
    body = html(open_page("showcase", lang="en", campaign=example.id))
    outside, inside = [], []
    for section in re.findall(r'<section class="sc-axis.*?</section>', body, re.DOTALL):
        shown, _, folded = section.partition('<details class="sc-fold "><summary>')
        outside += re.findall(r"fr-sev-(\w+)", shown)
        inside += re.findall(r"fr-sev-(\w+)", folded)
    assert set(outside) == {"high"}
    assert inside
    assert not {"high", "critical"} & set(inside)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_facts_are_said_in_words(
    lang: str, example: Campaign, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every fact that a rule names has words, as found and as missing, and none shows its identifier."""
    monkeypatch.setattr(frame, "language", lambda: lang)
    case, names = case_of(store, example), tuple(_all_facts(store, example))
    rules = compiled(load_rulebook(), load_matrix(), names)
    for term, fact in rules.leaves:
        value: object = 0.2
        if term.operator in ("is", "known") or fact.rpartition(".")[2] in ("exposure", "unilateral"):
            value = term.threshold
        line = showcase.fact_line(case, {"fact": fact, "value": value, term.operator: term.threshold})
        need = frame.word(showcase._need(case, fact), lang)
        for told in (line, showcase.fact_name(case, fact)):
            assert fact not in told
            assert "{" not in told
            assert len(told) > 5
        assert need
    one = {"fact": "services.decision", "value": 0.2, "below": 0.5}
    decimal = "." if lang == "en" else ","
    assert f"0{decimal}20" in showcase.fact_line(case, one)
    assert f"0{decimal}50" in showcase.fact_line(case, one)


def _all_facts(store: Store, campaign: Campaign) -> tuple[str, ...]:
    return score(load_library()["hospital"], store.answers([campaign.id])).fact_names


def test_every_invented_institution_has_a_page(store: Store) -> None:
    """Whatever was answered, the page is drawn, without an error and without an identifier of a fact."""
    for id_ in load_demo(store, network=8):
        test = open_page("showcase", lang="fr", campaign=id_)
        assert not test.error
        assert not re.search(
            r"\b(item|care|services|policy|teaching|research)\.[a-z-]+\b", _told(text_of(test))
        )


def _told(text: str) -> str:
    """What a reader sees: without tags and without addresses of sources."""
    return unescape(re.sub(r"<[^>]+>", " ", re.sub(r"<a .*?</a>", "", text)))


def test_axes_that_nobody_answered_take_one_line(store: Store) -> None:
    """They have a card, which leads to one line for all of them, and no table; nor has what a form does not ask."""
    house, questionnaire = store.add_institution("A", country="be"), load_library()["hospital"]
    own = store.add_campaign(house.id, questionnaire, title="t", year=2026, form="express")
    store.save_many(
        [
            Answer(own.id, "q", "quality", item.id, questionnaire.options(item.id, "declared")[-1].id)
            for item in questionnaire.form("express")
            if item.axis == "services" and item.asked_of("declared")
        ]
    )
    body = html(open_page("showcase", lang="en", campaign=own.id))
    silent = [axis for axis in load_matrix().ids("axes") if axis != "services"]
    [line] = re.findall(rf"<p[^>]*>{frame.words()('sc-silent', 'en')}.*?</p>", body)
    for axis in silent:
        assert f'id="axis-{axis}"' in line
        assert f'href="#axis-{axis}"' in body
    assert len(re.findall(r'<section class="sc-axis fr-state', body)) == 1
    assert frame.words()("sc-group-not-asked", "en") in body
    assert len(re.findall(r'<table class="fr-table sc-group"', body)) == 2


@pytest.mark.parametrize(("people", "hidden"), [(4, True), (5, False)])
def test_few_patients_are_not_exposed(people: int, hidden: bool, own: Campaign, store: Store) -> None:  # noqa: FBT001
    """Below five patients no figure of theirs, no mean and no count is on the page; from five on they are."""
    fill(store, own, "quality", 2)
    fill(store, own, "patient", people, option=0)
    store.close_campaign(own.id)
    text = text_of(open_page("showcase", lang="en", campaign=own.id))
    assert ("sc-bar sc-experienced" in text) is not hidden
    assert (frame.words()("sc-withheld", "en") in text) is hidden
    assert (f"Patient: 0.00 ({people} ans.)" in text) is not hidden
    assert (f"{people} people on the patients" in text) is not hidden
    assert f"{people} answers" not in text


def test_small_group_among_patients_is_not_told_apart(own: Campaign, store: Store) -> None:
    """One association among many patients is not shown beside them: the patients' side is told together."""
    fill(store, own, "quality", 2)
    fill(store, own, "patient", 8, option=0)
    fill(store, own, "association", 1, option=0)
    store.close_campaign(own.id)
    text = text_of(open_page("showcase", lang="en", campaign=own.id))
    assert "9 answers" in text
    assert load_matrix().title("roles", "association", "en") + ":" not in text


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_patients_is_itself_a_showcase(lang: str, own: Campaign, store: Store) -> None:
    """Without a patient the page says so first, and offers to let one answer."""
    fill(store, own, "quality", 2)
    test = open_page("showcase", lang=lang, campaign=own.id)
    assert frame.words()("banner-no-patients", lang) in text_of(test)
    assert "ask-patients" in {button.key for button in test.button}


def test_safeguards_stand_apart_and_say_where_they_hold(own: Campaign, store: Store) -> None:
    """A breach is under its own heading, not under an axis, and a French rule is advice in Belgium."""
    fill(store, own, "quality", 2)
    fill(store, own, "patient", 5)
    store.save(Answer(own.id, "quality-0", "quality", "care.peer-staff-gap", "often"))
    text = text_of(open_page("showcase", lang="en", campaign=own.id))
    title = load_rulebook()["safeguard-staff-gap"].title["en"]
    heading = f">{frame.words()('sc-safeguards', 'en')}</h2>"
    assert text.index(heading) < text.index(f"{title} <span")
    assert frame.words()("sc-advisory", "en", country="France") in text


def test_reading_has_no_findings_and_says_so(store: Store) -> None:
    """A reading judges nobody: no state, no finding, and a sentence that says why."""
    questionnaire = load_library()["hospital"]
    reading = store.add_campaign(
        store.add_institution("A").id, questionnaire, title="t", year=2026, kind="reading"
    )
    fill(store, reading, "quality", 1)
    text = text_of(open_page("showcase", lang="en", campaign=reading.id))
    assert frame.words()("sc-reading", "en") in text
    assert frame.words()("reading-banner", "en") in text
    assert "sc-axis" not in text
    assert "fr-finding" not in text


def test_empty_page_says_what_to_do(own: Campaign) -> None:
    """Before the first answer the page teaches and has one button."""
    test = open_page("showcase", lang="en", campaign=own.id)
    assert frame.words()("sc-empty-why", "en") in text_of(test)
    mine = [
        button.key
        for button in test.button
        if button.key and not button.key.startswith(("language-", "again"))
    ]
    assert mine == ["to-start"]


def test_text_of_others_is_shown_inert(store: Store) -> None:
    """HTML in a name or in a reason is shown as it was written and does nothing."""
    house = store.add_institution("<img src=x onerror=alert(1)>")
    campaign = store.add_campaign(
        house.id,
        load_library()["hospital"],
        title="t",
        year=2026,
        out_of_scope={"policy": "<script>alert(2)</script>"},
    )
    fill(store, campaign, "quality", 1)
    body = html(open_page("showcase", lang="en", campaign=campaign.id))
    assert "<img" not in body
    assert "<script" not in body
    assert "&lt;script&gt;alert(2)" in body


# --- in a real browser ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page on a store with the example."""
    server = Server(tmp_path_factory.mktemp("showcase"))
    with Store.open(server.store) as store:
        campaign = load_example(store)
    with server:
        yield f"{server.url}/showcase?campaign={campaign}"


def _visit(page: Page, address: str) -> None:
    page.goto(address)
    page.wait_for_selector(".sc-axis")
    ready(page)


@pytest.mark.browser
@pytest.mark.parametrize("lang", LANGUAGES)
def test_phone_never_scrolls_sideways(lang: str, shown: str, visitor: Visitor) -> None:
    """At 390 pixels nothing is wider than the screen, with everything unfolded."""
    page = visitor(viewport=PHONE, locale=lang)
    _visit(page, f"{shown}&lang={lang}")
    page.evaluate(OPEN_ALL)
    assert not too_wide(page)


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessible(scheme: str, shown: str, visitor: Visitor) -> None:
    """No violation of WCAG 2.2 AA that axe can see, folded and unfolded, in light and dark."""
    page = visitor(color_scheme=scheme)
    _visit(page, f"{shown}&lang=fr")
    page.evaluate(OPEN_ALL)
    assert not faults(page)


@pytest.mark.browser
def test_card_leads_to_its_axis_and_print_unfolds(shown: str, visitor: Visitor) -> None:
    """A card's link goes to its axis on the same page; on paper nothing is folded and no button is left."""
    page = visitor(locale="en")
    _visit(page, f"{shown}&lang=en")
    page.get_by_role("link", name=load_matrix().title("axes", "research", "en")).click()
    page.wait_for_function(
        "Math.abs(document.querySelector('#axis-research').getBoundingClientRect().top) < 200"
    )
    folded = page.locator(".sc-fold .fr-finding").first
    assert not folded.is_visible()
    page.emulate_media(media="print")
    assert folded.is_visible()
    assert not page.locator(".st-key-frame-pages").is_visible()
