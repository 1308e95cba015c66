"""The dashboard in a real browser: first visit, saving, resuming, languages, phones, and accessibility."""

from __future__ import annotations

import dataclasses
import json
import re
import signal
import sys
import urllib.request
from collections.abc import Iterator

import pytest
from browser import LANGUAGES, LAPTOP, PHONE, Server, Visitor, faults, ready, too_wide
from playwright.sync_api import Locator, Page, expect

from dashboard.frame import word
from data import Answer, Campaign, Store
from data.demo import load_example
from questionnaires import load_library

pytestmark = pytest.mark.browser
PAGES = ("", "answer", "results")
OPEN = "open-campaign"


@pytest.fixture
def page(visitor: Visitor) -> Page:
    """A fresh visitor, in French."""
    return visitor()


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Campaign]]:
    """A server on a store with the example, which is closed, and an open campaign called `OPEN`."""
    server = Server(tmp_path_factory.mktemp("shown"))
    with Store.open(server.store) as store:
        campaign = store.campaign(load_example(store))
        house = store.add_institution("Hôpital A", country="be")
        store.add_campaign(house.id, load_library()["hospital"], title="2026", year=2026, id=OPEN)
    with server:
        yield server, campaign


def test_first_visit_leads_to_results(server: Server, page: Page) -> None:
    """From a server just started, one click shows the example's profile."""
    page.goto(server.url)
    page.wait_for_selector(".fr-lenses")
    ready(page)
    page.get_by_role("button", name="Voir un exemple").click()
    expect(page.get_by_role("table").first).to_be_visible()
    expect(page.get_by_text("Exemple fictif")).to_be_visible()
    expect(page.get_by_role("row")).not_to_have_count(0)


def _shown_on(name: str, campaign: Campaign) -> str:
    """The campaign that a page is looked at with: questions are asked while one is open."""
    return OPEN if name == "answer" else campaign.id


def _questions(server: Server, page: Page, campaign: str, lang: str = "fr") -> None:
    page.goto(f"{server.url}/answer?lang={lang}&campaign={campaign}&role=quality&respondent=p-test")
    page.wait_for_selector(".fr-progress")
    ready(page)


def _own(server: Server) -> Campaign:
    with Store.open(server.store) as store:
        house = store.add_institution("Hôpital A", country="be")
        return store.add_campaign(
            house.id, load_library()["hospital"], title="2026", year=2026, form="express"
        )


def _kept(server: Server, campaign: Campaign) -> dict[str, Answer]:
    with Store.open(server.store) as store:
        return store.respondent(campaign.id, "p-test", "quality")


def _choose(page: Page, question: int, option: int) -> None:
    """Click an option's sentence, as a person does, and wait until the page says that it is saved."""
    group = page.get_by_role("radiogroup").nth(question)
    group.locator("label").nth(option).click()
    card = page.locator('[class*="st-key-card-"]').nth(question)
    expect(card.get_by_text("Enregistré")).to_be_visible()


def test_answers_survive_a_closed_tab(shown: tuple[Server, Campaign], visitor: Visitor) -> None:
    """What was answered is there again in a new visit to the same address."""
    server, _ = shown
    campaign = _own(server)
    page = visitor()
    _questions(server, page, campaign.id)
    _choose(page, 0, 2)
    _choose(page, 1, 1)
    expect(page.locator(".fr-live")).to_contain_text("Enregistré")
    address = page.url
    page.context.close()
    again = visitor()
    again.goto(address)
    again.wait_for_selector(".fr-progress")
    ready(again)
    expect(again.get_by_role("radiogroup").nth(0).get_by_role("radio").nth(2)).to_be_checked()
    expect(again.get_by_role("radiogroup").nth(1).get_by_role("radio").nth(1)).to_be_checked()
    assert len(_kept(server, campaign)) == 2


def test_first_click_after_a_killed_server_counts(server: Server, page: Page) -> None:
    """With the page left open, kill -9 and a restart lose nothing, and the very next click is saved."""
    campaign = _own(server)
    _questions(server, page, campaign.id)
    _choose(page, 0, 2)
    server.kill()
    server.start()
    page.wait_for_timeout(3000)  # the framework's own pause before it connects again
    ready(page)
    page.get_by_role("radiogroup").nth(1).locator("label").nth(1).click()
    items = [item.id for item in load_library()["hospital"].form("express")]
    for _ in range(100):
        if len(_kept(server, campaign)) == 2:
            break
        page.wait_for_timeout(100)
    kept = _kept(server, campaign)
    options = load_library()["hospital"].options
    assert kept[items[0]].answer == options(items[0], "declared")[2].id
    assert kept[items[1]].answer == options(items[1], "declared")[1].id


def _saves(server: Server, page: Page, campaign: Campaign, wanted: dict[str, str]) -> None:
    """Wait until the store holds these answers, by item, and no other."""
    for _ in range(100):
        if {item: one.answer for item, one in _kept(server, campaign).items()} == wanted:
            return
        page.wait_for_timeout(100)
    raise AssertionError(_kept(server, campaign))


def _option(question: int, option: int) -> tuple[str, str]:
    """Item and answer of an option of the express form, as the institution is asked."""
    questionnaire = load_library()["hospital"]
    item = questionnaire.form("express")[question].id
    return item, questionnaire.options(item, "declared")[option].id


def _chosen(page: Page, question: int, option: int) -> Locator:
    return page.get_by_role("radiogroup").nth(question).get_by_role("radio").nth(option)


def test_first_click_after_a_restart_counts_on_a_page_nobody_touched(server: Server, page: Page) -> None:
    """The page is open, nothing was clicked, the server is killed and started again: the next click is saved."""
    campaign = _own(server)
    _questions(server, page, campaign.id)
    server.kill()
    expect(page.get_by_role("alert")).to_have_text(word("lost", "fr"))
    server.start()
    expect(page.get_by_role("alert")).to_be_hidden(timeout=30_000)
    _choose(page, 1, 1)
    _saves(server, page, campaign, dict([_option(1, 1)]))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_lost_connection_is_told_and_what_was_chosen_meanwhile_is_saved(
    lang: str, shown: tuple[Server, Campaign], visitor: Visitor
) -> None:
    """Offline the page says so and calls nothing saved that is not; back online it saves and says so."""
    server, _ = shown
    campaign = _own(server)
    page = visitor(viewport=PHONE, locale=lang)
    _questions(server, page, campaign.id, lang=lang)
    card = page.locator('[class*="st-key-card-"]').first
    page.get_by_role("radiogroup").first.locator("label").nth(0).click()
    expect(card.get_by_text(word("saved", lang))).to_be_visible()
    ready(page)
    page.context.set_offline(True)
    expect(page.get_by_role("alert")).to_have_text(word("lost", lang))
    assert not too_wide(page)
    assert not faults(page)
    page.get_by_role("radiogroup").first.locator("label").nth(1).click()
    expect(card.locator(".fr-foot")).to_be_hidden()
    _saves(server, page, campaign, dict([_option(0, 0)]))
    page.context.set_offline(False)
    expect(page.get_by_role("alert")).to_be_hidden()
    expect(card.get_by_text(word("saved", lang))).to_be_visible()
    _saves(server, page, campaign, dict([_option(0, 1)]))


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be halted there")
def test_a_server_that_stays_silent_is_told(server: Server, page: Page) -> None:
    """A click that nothing answers, though no connection is known to be lost, is called unsaved; then it is saved."""
    campaign = _own(server)
    _questions(server, page, campaign.id)
    assert server.process
    server.process.send_signal(signal.SIGSTOP)
    try:
        page.get_by_role("radiogroup").first.locator("label").nth(1).click()
        expect(page.get_by_role("alert")).to_have_text(word("lost", "fr"), timeout=15_000)
    finally:
        server.process.send_signal(signal.SIGCONT)
    expect(page.get_by_role("alert")).to_be_hidden(timeout=30_000)
    expect(page.locator('[class*="st-key-card-"]').first.get_by_text("Enregistré")).to_be_visible()
    _saves(server, page, campaign, dict([_option(0, 1)]))


def test_a_dead_server_is_told_in_our_words_alone(server: Server, visitor: Visitor) -> None:
    """The framework's own English dialog about a terminal is put away as soon as it comes up."""
    campaign = _own(server)
    page = visitor(locale="nl-BE")
    _questions(server, page, campaign.id, lang="nl")
    page.evaluate(
        """() => new MutationObserver(() => {
          if (document.querySelector("section[role=dialog]")) document.documentElement.dataset.raised = "";
        }).observe(document.body, { subtree: true, childList: true })"""
    )
    server.kill()
    expect(page.locator("html")).to_have_attribute("data-raised", "", timeout=60_000)
    expect(page.locator("section[role=dialog]")).to_have_count(0)
    expect(page.get_by_role("alert")).to_have_text(word("lost", "nl"))


def test_a_page_left_open_never_undoes_what_was_changed_since(server: Server, page: Page) -> None:
    """After a restart a page shows what is stored, answer and comment, and its next click changes its question only."""
    campaign = _own(server)
    _questions(server, page, campaign.id)
    _choose(page, 0, 1)
    page.get_by_label("Commentaire (facultatif)").first.fill("old")
    page.keyboard.press("Enter")
    for _ in range(100):
        if any(one.comment == "old" for one in _kept(server, campaign).values()):
            break
        page.wait_for_timeout(100)
    ready(page)
    item, other = _option(0, 2)
    server.kill()
    with Store.open(server.store) as store:
        store.save(dataclasses.replace(_kept(server, campaign)[item], answer=other, comment="new", at=None))
    server.start()
    expect(_chosen(page, 0, 2)).to_be_checked(timeout=30_000)
    expect(page.get_by_label("Commentaire (facultatif)").first).to_have_value("new")
    expect(page.get_by_text(word("changed-elsewhere", "fr"))).to_be_visible()
    _choose(page, 1, 0)
    _saves(server, page, campaign, dict([(item, other), _option(1, 0)]))
    assert _kept(server, campaign)[item].comment == "new"


def test_two_tabs_follow_each_other(shown: tuple[Server, Campaign], visitor: Visitor) -> None:
    """What one tab changed is shown in the other at its next click, or as soon as it is come back to, and stays."""
    server, _ = shown
    campaign = _own(server)
    first = visitor()
    _questions(server, first, campaign.id)
    _choose(first, 0, 1)
    second = first.context.new_page()
    _questions(server, second, campaign.id)
    expect(_chosen(second, 0, 1)).to_be_checked()
    _choose(second, 0, 2)
    _saves(server, first, campaign, dict([_option(0, 2)]))
    _choose(first, 1, 0)
    expect(_chosen(first, 0, 2)).to_be_checked()
    _saves(server, first, campaign, dict([_option(0, 2), _option(1, 0)]))
    second.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(_chosen(second, 1, 0)).to_be_checked()
    _saves(server, first, campaign, dict([_option(0, 2), _option(1, 0)]))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_noted_code_leads_back_to_the_answers(
    lang: str, shown: tuple[Server, Campaign], visitor: Visitor
) -> None:
    """A new person begins with a code, closes the tab, and finds the answers again on another screen by that code."""
    server, _ = shown
    campaign = _own(server)
    page = visitor(locale=lang)
    page.goto(f"{server.url}/answer?lang={lang}&campaign={campaign.id}&role=patient")
    page.get_by_role("button", name=word("begin", lang)).click()
    page.wait_for_selector(".fr-progress")
    ready(page)
    page.get_by_role("radiogroup").first.locator("label").nth(1).click()
    expect(page.locator('[class*="st-key-card-"]').first.get_by_text(word("saved", lang))).to_be_visible()
    with Store.open(server.store) as store:
        [code] = store.answers([campaign.id])["respondent"].to_pylist()
    expect(page.get_by_text(code)).to_be_visible()
    page.context.close()
    page = visitor(viewport=PHONE, locale=lang)
    page.goto(f"{server.url}/answer?lang={lang}&campaign={campaign.id}&role=patient")
    ready(page)
    page.get_by_text(word("person-known", lang)).click()
    page.get_by_label(word("code", lang)).fill(code.upper())
    page.get_by_role("button", name=word("resume", lang)).click()
    page.wait_for_selector(".fr-progress")
    expect(_chosen(page, 0, 1)).to_be_checked()


def test_turning_the_page_at_once_loses_nothing(shown: tuple[Server, Campaign], page: Page) -> None:
    """Two questions answered and the page turned in the same instant: both answers are kept."""
    server, _ = shown
    campaign = _own(server)
    _questions(server, page, campaign.id)
    page.evaluate(
        """() => {
          const groups = document.querySelectorAll("[role=radiogroup]");
          groups[0].querySelectorAll("label")[2].click();
          groups[1].querySelectorAll("label")[1].click();
          document.querySelector(".st-key-next button").click();
        }"""
    )
    expect(page.locator(".fr-h1")).not_to_contain_text("Soins")
    ready(page)
    items = [item.id for item in load_library()["hospital"].form("express")]
    assert set(_kept(server, campaign)) == set(items[:2])


def test_keyboard_answers(shown: tuple[Server, Campaign], page: Page) -> None:
    """Arrow keys choose and save, and the focus stays where it is."""
    server, _ = shown
    campaign = _own(server)
    _questions(server, page, campaign.id)
    page.get_by_role("radio").first.focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator('[class*="st-key-card-"]').first.get_by_text("Enregistré")).to_be_visible()
    ready(page)
    assert page.evaluate("document.activeElement.type") == "radio"
    assert len(_kept(server, campaign)) == 1


def test_nothing_jumps_when_an_answer_is_given(shown: tuple[Server, Campaign], page: Page) -> None:
    """Every card stands where it stood after a click, a reason for `na` included."""
    server, _ = shown
    campaign = _own(server)
    _questions(server, page, campaign.id)
    places = "[...document.querySelectorAll('[class*=\"st-key-card-\"]')].map((e, i, all) => e.getBoundingClientRect().top - all[0].getBoundingClientRect().top)"
    before = page.evaluate(places)
    _choose(page, 0, 2)
    ready(page)
    assert page.evaluate(places) == before
    page.get_by_role("radiogroup").nth(1).locator("label").last.click()
    ready(page)
    assert page.evaluate(places) == before


def test_language_switches_everywhere(shown: tuple[Server, Campaign], page: Page) -> None:
    """One click changes the page, its address and the document's language, and keeps the assessment."""
    server, campaign = shown
    page.goto(f"{server.url}/results?campaign={campaign.id}")
    page.wait_for_selector(".pm-matrix")
    ready(page)
    assert page.evaluate("document.documentElement.lang") == "fr"
    page.get_by_role("button", name="Nederlands").click()
    expect(page.get_by_role("columnheader", name="Toegekend").first).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "nl")
    expect(page).to_have_url(re.compile("lang=nl"))
    assert f"campaign={campaign.id}" in page.url
    page.get_by_role("link", name="Start").click()
    expect(page.get_by_text("Volgende stap")).to_be_visible()
    expect(page).to_have_url(re.compile("lang=nl"))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_document_speaks_before_the_first_script(lang: str, shown: tuple[Server, Campaign]) -> None:
    """The HTML itself carries the language asked for, by the address or by the browser, and safe headers."""
    server, _ = shown
    by_header = urllib.request.Request(server.url, headers={"Accept-Language": f"{lang}-BE,en;q=0.5"})  # noqa: S310
    for request in (f"{server.url}/results?lang={lang}", by_header):
        with urllib.request.urlopen(request) as answer:  # noqa: S310  # our own server
            assert f'<html lang="{lang}">' in answer.read().decode()
            assert "script-src 'self'" in answer.headers["content-security-policy"]
            assert answer.headers["x-content-type-options"] == "nosniff"
    with urllib.request.urlopen(f"{server.url}/health") as answer:  # noqa: S310
        assert json.load(answer) == {"status": "ok"}


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("name", PAGES)
def test_phone_never_scrolls_sideways(
    name: str, lang: str, shown: tuple[Server, Campaign], visitor: Visitor
) -> None:
    """At 390 pixels nothing is wider than the screen."""
    server, campaign = shown
    page = visitor(viewport=PHONE, locale=lang)
    page.goto(
        f"{server.url}/{name}?lang={lang}&campaign={_shown_on(name, campaign)}&role=patient&respondent=p-test"
    )
    page.wait_for_selector(".fr-h1")
    ready(page)
    assert not too_wide(page)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_bar_is_one_line_that_leads_everywhere(
    lang: str, shown: tuple[Server, Campaign], visitor: Visitor
) -> None:
    """On a phone and on a laptop what stands above the page is one line, and every page is a click or two away."""
    server, campaign = shown
    page = visitor(locale=lang)
    page.goto(f"{server.url}/results?lang={lang}&campaign={campaign.id}")
    page.wait_for_selector(".pm-matrix")
    ready(page)
    menu, last = page.locator(".fr-menu summary"), page.locator(".st-key-frame-pages a").last
    for width in (LAPTOP["width"], 1101, 1100, PHONE["width"]):
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_function("document.querySelector('.st-key-frame').getBoundingClientRect().height < 64")
        assert menu.is_visible() == (not last.is_visible()) == (width < 1101), width
    menu.click()
    last.click()
    page.wait_for_url("**/method*")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_matrix_begins_on_the_first_half_of_a_phone(
    lang: str, shown: tuple[Server, Campaign], visitor: Visitor
) -> None:
    """What people come for is in sight without scrolling, under its sentence and whom it rests on."""
    server, campaign = shown
    page = visitor(viewport=PHONE, locale=lang)
    page.goto(f"{server.url}/results?lang={lang}&campaign={campaign.id}")
    page.wait_for_selector(".pm-matrix")
    ready(page)
    figure = page.locator(".pm-matrix").bounding_box()
    assert figure is not None
    assert figure["y"] < PHONE["height"] * 0.55


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_accessible(name: str, scheme: str, shown: tuple[Server, Campaign], visitor: Visitor) -> None:
    """No violation of WCAG 2.2 AA that axe can see, in light and dark."""
    server, campaign = shown
    page = visitor(color_scheme=scheme)
    page.goto(
        f"{server.url}/{name}?lang=fr&campaign={_shown_on(name, campaign)}&role=quality&respondent=p-test"
    )
    page.wait_for_selector(".fr-h1")
    ready(page)
    assert not faults(page)


def test_targets_are_big_enough(shown: tuple[Server, Campaign], visitor: Visitor) -> None:
    """On a phone every option and button of the Answer page is at least 44 pixels high, its caption included."""
    server, _ = shown
    page = visitor(viewport=PHONE)
    _questions(server, page, OPEN)
    heights = page.evaluate(
        "[...document.querySelectorAll('.st-key-answering [role=radiogroup] > div, .st-key-answering button')]"
        ".map(e => Math.round(e.getBoundingClientRect().height))"
    )
    assert heights
    assert min(heights) >= 44


def test_no_error_in_the_console(shown: tuple[Server, Campaign], page: Page) -> None:
    """The pages ask nothing of the network but their own server, and no script of ours is refused."""
    server, campaign = shown
    errors: list[str] = []
    foreign: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("request", lambda one: foreign.append(one.url) if "localhost" not in one.url[:24] else None)
    page.goto(f"{server.url}/?lang=fr&campaign={campaign.id}")
    page.wait_for_selector(".fr-h1")
    ready(page)
    assert not errors
    assert not [url for url in foreign if not url.startswith(("data:", "blob:"))]
