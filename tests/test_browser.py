"""The dashboard in a real browser: first visit, saving, resuming, languages, phones, and accessibility."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import Server, browser, ready
from playwright.sync_api import Browser, Page, expect

from data import Answer, Campaign, Store
from data.demo import load_example
from questionnaires import load_library

pytestmark = pytest.mark.browser
LANGUAGES = ("fr", "nl", "en")
PAGES = ("", "answer", "results")
PHONE = {"width": 390, "height": 844}
LAPTOP = {"width": 1280, "height": 800}
OPEN = "open-campaign"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for all tests here."""
    with browser() as found:
        yield found


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A fresh visitor, in French."""
    context = chromium.new_context(viewport=LAPTOP, locale="fr-BE")
    yield context.new_page()
    context.close()


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Server]:
    """A server on an empty store."""
    server = Server(tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Campaign]]:
    """A server on a store with the example, which is closed, and an open campaign called `OPEN`."""
    server = Server(tmp_path_factory.mktemp("shown"))
    with Store.open(server.store) as store:
        campaign = store.campaign(load_example(store))
        house = store.add_institution("Hôpital A", country="be")
        store.add_campaign(house.id, load_library()["hospital"], title="2026", year=2026, id=OPEN)
    server.start()
    yield server, campaign
    server.stop()


def test_first_visit_leads_to_results(empty: Server, page: Page) -> None:
    """From a server just started, one click shows the example's profile."""
    page.goto(empty.url)
    page.wait_for_selector(".fr-lenses")
    ready(page)
    page.get_by_role("button", name="Voir un exemple").click()
    expect(page.get_by_role("table").first).to_be_visible()
    expect(page.get_by_text("Exemple fictif")).to_be_visible()
    expect(page.get_by_role("row")).not_to_have_count(0)


def _shown_on(name: str, campaign: Campaign) -> str:
    """The campaign that a page is looked at with: questions are asked while one is open."""
    return OPEN if name == "answer" else campaign.id


def _questions(server: Server, page: Page, campaign: str, role: str = "quality") -> None:
    page.goto(f"{server.url}/answer?lang=fr&campaign={campaign}&role={role}&respondent=p-test")
    page.wait_for_selector(".fr-progress")
    ready(page)


def _own(server: Server) -> Campaign:
    with Store.open(server.store) as store:
        house = store.add_institution("Hôpital A", country="be")
        return store.add_campaign(
            house.id, load_library()["hospital"], title="2026", year=2026, form="express"
        )


def _kept(server: Server, campaign: Campaign, role: str = "quality") -> dict[str, Answer]:
    with Store.open(server.store) as store:
        return store.respondent(campaign.id, "p-test", role)


def _choose(page: Page, question: int, option: int) -> None:
    """Click an option's sentence, as a person does, and wait until the page says that it is saved."""
    group = page.get_by_role("radiogroup").nth(question)
    group.locator("label").nth(option).click()
    card = page.locator('[class*="st-key-card-"]').nth(question)
    expect(card.get_by_text("Enregistré")).to_be_visible()


def test_answers_survive_a_closed_tab(empty: Server, chromium: Browser) -> None:
    """What was answered is there again in a new visit to the same address."""
    campaign = _own(empty)
    context = chromium.new_context(viewport=LAPTOP, locale="fr-BE")
    page = context.new_page()
    _questions(empty, page, campaign.id)
    _choose(page, 0, 2)
    _choose(page, 1, 1)
    expect(page.locator(".fr-live")).to_contain_text("Enregistré")
    address = page.url
    context.close()
    again = chromium.new_context(viewport=LAPTOP, locale="fr-BE").new_page()
    again.goto(address)
    again.wait_for_selector(".fr-progress")
    ready(again)
    expect(again.get_by_role("radiogroup").nth(0).get_by_role("radio").nth(2)).to_be_checked()
    expect(again.get_by_role("radiogroup").nth(1).get_by_role("radio").nth(1)).to_be_checked()
    assert len(_kept(empty, campaign)) == 2
    again.context.close()


def test_first_click_after_a_killed_server_counts(empty: Server, page: Page) -> None:
    """With the page left open, kill -9 and a restart lose nothing, and the very next click is saved."""
    campaign = _own(empty)
    _questions(empty, page, campaign.id)
    _choose(page, 0, 2)
    empty.kill()
    empty.start()
    page.wait_for_timeout(3000)  # the framework's own pause before it connects again
    ready(page)
    page.get_by_role("radiogroup").nth(1).locator("label").nth(1).click()
    items = [item.id for item in load_library()["hospital"].form("express")]
    for _ in range(100):
        if len(_kept(empty, campaign)) == 2:
            break
        page.wait_for_timeout(100)
    kept = _kept(empty, campaign)
    options = load_library()["hospital"].options
    assert kept[items[0]].answer == options(items[0], "declared")[2].id
    assert kept[items[1]].answer == options(items[1], "declared")[1].id


def test_turning_the_page_at_once_loses_nothing(empty: Server, page: Page) -> None:
    """Two questions answered and the page turned in the same instant: both answers are kept."""
    campaign = _own(empty)
    _questions(empty, page, campaign.id)
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
    assert set(_kept(empty, campaign)) == set(items[:2])


def test_keyboard_answers(empty: Server, page: Page) -> None:
    """Arrow keys choose and save, and the focus stays where it is."""
    campaign = _own(empty)
    _questions(empty, page, campaign.id)
    page.get_by_role("radio").first.focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator('[class*="st-key-card-"]').first.get_by_text("Enregistré")).to_be_visible()
    ready(page)
    assert page.evaluate("document.activeElement.type") == "radio"
    assert len(_kept(empty, campaign)) == 1


def test_nothing_jumps_when_an_answer_is_given(empty: Server, page: Page) -> None:
    """Every card stands where it stood after a click, a reason for `na` included."""
    campaign = _own(empty)
    _questions(empty, page, campaign.id)
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
    name: str, lang: str, shown: tuple[Server, Campaign], chromium: Browser
) -> None:
    """At 390 pixels nothing is wider than the screen."""
    server, campaign = shown
    context = chromium.new_context(viewport=PHONE, locale=lang)
    page = context.new_page()
    page.goto(
        f"{server.url}/{name}?lang={lang}&campaign={_shown_on(name, campaign)}&role=patient&respondent=p-test"
    )
    page.wait_for_selector(".fr-h1")
    ready(page)
    wide = page.evaluate(
        "[...document.querySelectorAll('.stMain *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1"
        " && !e.closest('thead')).map(e => e.className)"
    )
    assert not wide
    assert page.evaluate("document.querySelector('.stMain').scrollWidth") <= PHONE["width"]
    context.close()


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("width", [PHONE["width"], 1100, 1101, LAPTOP["width"]])
def test_the_bar_is_one_line_that_leads_everywhere(
    width: int, lang: str, shown: tuple[Server, Campaign], chromium: Browser
) -> None:
    """On a phone and on a laptop what stands above the page is one line, and every page is a click or two away."""
    server, campaign = shown
    context = chromium.new_context(viewport={"width": width, "height": 800}, locale=lang)
    page = context.new_page()
    page.goto(f"{server.url}/results?lang={lang}&campaign={campaign.id}")
    page.wait_for_selector(".pm-matrix")
    ready(page)
    bar = page.locator(".st-key-frame").bounding_box()
    assert bar is not None
    assert bar["height"] < 64
    menu = page.locator(".fr-menu summary")
    if menu.is_visible():
        menu.click()
    page.locator(".st-key-frame-pages a").last.click()
    page.wait_for_url("**/method*")
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_accessible(name: str, scheme: str, shown: tuple[Server, Campaign], chromium: Browser) -> None:
    """No violation of WCAG 2.2 AA that axe can see, in light and dark."""
    server, campaign = shown
    context = chromium.new_context(viewport=LAPTOP, locale="fr-BE", color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(
        f"{server.url}/{name}?lang=fr&campaign={_shown_on(name, campaign)}&role=quality&respondent=p-test"
    )
    page.wait_for_selector(".fr-h1")
    ready(page)
    options = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
    found = Axe().run(page, options=options)
    told = [
        (one["id"], [(node["target"], node["html"][:160]) for node in one["nodes"]])
        for one in found.response["violations"]
    ]
    assert not told
    context.close()


def test_targets_are_big_enough(shown: tuple[Server, Campaign], chromium: Browser) -> None:
    """On a phone every option and button of the Answer page is at least 44 pixels high, its caption included."""
    server, _ = shown
    context = chromium.new_context(viewport=PHONE, locale="fr-BE")
    page = context.new_page()
    _questions(server, page, OPEN)
    heights = page.evaluate(
        "[...document.querySelectorAll('.st-key-answering [role=radiogroup] > div, .st-key-answering button')]"
        ".map(e => Math.round(e.getBoundingClientRect().height))"
    )
    assert heights
    assert min(heights) >= 44
    context.close()


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
