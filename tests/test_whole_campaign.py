"""One campaign from its creation to its results, in a real browser, by everyone who takes part in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from browser import Server, browser, ready
from playwright.sync_api import Browser, Page, expect

from dashboard import frame
from data import Invitations, Store
from matrix import load_matrix
from questionnaires import load_library

pytestmark = pytest.mark.browser
LAPTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
HOSPITAL = load_library()["hospital"]
FORM = HOSPITAL.form("express")
word = frame.word


class Guest(NamedTuple):
    """Who answers: in which role, by which kind of link, on what screen, in which language, and which option each time."""

    role: str
    kind: str
    screen: dict[str, int]
    lang: str
    option: int


GUESTS = (
    Guest("professional", "personal", LAPTOP, "fr", -1),
    Guest("patient", "shared", PHONE, "nl", 0),
    Guest("relative", "shared", PHONE, "en", 0),
)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for everyone."""
    with browser() as found:
        yield found


def invite(page: Page, guest: Guest) -> str:
    """Make a link for a role on the page, and return its address."""
    lens = load_matrix().lens_of[guest.role]
    page.locator(".st-key-inv-new").get_by_text(word(f"side-{lens}", "fr"), exact=True).click()
    ready(page)
    option = page.get_by_role("option", name=load_matrix().title("roles", guest.role, "fr"), exact=True)
    field = page.locator(".st-key-inv-new [data-testid='stSelectbox'] input")
    field.click()
    if not option.is_visible():  # the list closes when the page is drawn again at that moment
        page.wait_for_timeout(1000)
        if not option.is_visible():
            field.click()
    option.click()
    ready(page)
    page.locator(".st-key-inv-new").get_by_text(word(f"inv-kind-{guest.kind}", "fr")).click()
    ready(page)
    if guest.kind == "personal":
        page.locator(".st-key-inv-count-personal input").fill("1")
        page.keyboard.press("Enter")
        ready(page)
    page.locator(".st-key-inv-make button").click()
    page.wait_for_selector(".st-key-inv-once")
    ready(page)
    where = ".inv-address" if guest.kind == "personal" else "code"
    link = page.locator(f".st-key-inv-once {where}").first.inner_text()
    page.locator(".st-key-inv-put-away button").click()
    expect(page.locator(".st-key-inv-once")).to_have_count(0)
    ready(page)
    return link


def answer(chromium: Browser, guest: Guest, link: str) -> str:
    """Open the link, answer every question, finish; returns the address of one's own pages."""
    lens = load_matrix().lens_of[guest.role]
    context = chromium.new_context(viewport=guest.screen, locale=guest.lang)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(link)
    expect(page.locator("html")).to_have_attribute("lang", guest.lang)
    page.get_by_role("button", name=word("begin", guest.lang)).click()
    if guest.kind == "shared":
        page.get_by_role("link", name=word("r-continue", guest.lang)).click()
    page.wait_for_url("**/1")
    own = page.url.removesuffix("/1")
    asked = iter([item for axis in load_matrix().ids("axes") for item in FORM if item.axis == axis])
    while "/finish" not in page.url:
        before = page.url
        for n in range(page.locator("fieldset").count()):
            options = len(HOSPITAL.options(next(asked).id, lens))
            page.locator("fieldset").nth(n).locator("label.option").nth(guest.option % options).click()
        page.locator(".turn .primary").click()
        page.wait_for_url(lambda url, left=before: url != left)
    page.get_by_role("button", name=word("r-finish", guest.lang)).click()
    expect(page.get_by_label(word("r-receipt", guest.lang))).to_have_value(re.compile(r"^\w{4}(-\w{4}){3}$"))
    context.close()
    return own


def test_a_whole_campaign(tmp_path: Path, chromium: Browser) -> None:
    """A campaign is created, three roles answer on three screens in three languages, it closes, and both sides see it."""
    server = Server(tmp_path)
    server.start()
    desk = chromium.new_context(viewport=LAPTOP, locale="fr-BE").new_page()  # type: ignore[arg-type]
    desk.goto(f"{server.url}/?lang=fr")
    ready(desk)
    desk.locator(".st-key-create-own button").click()
    desk.get_by_label(word("field-name", "fr")).fill("Hôpital du Val")
    desk.get_by_role("button", name=word("create", "fr"), exact=True).click()
    expect(desk.get_by_role("heading", name=word("who-title", "fr"))).to_be_visible()
    with Store.open(server.store) as store:
        [campaign] = store.campaigns()
    assert (campaign.state, campaign.form) == ("open", "express")

    desk.goto(f"{server.url}/invite?lang=fr&campaign={campaign.id}")
    ready(desk)
    links = [invite(desk, guest) for guest in GUESTS]
    places = [answer(chromium, guest, link) for guest, link in zip(GUESTS, links, strict=True)]
    with Store.open(server.store) as store:
        standing = {
            one.role: (one.started, one.submitted) for one in Invitations(store).standing(campaign.id)
        }
        rows = store.answers([campaign.id]).to_pylist()
    assert standing == {guest.role: (1, 1) for guest in GUESTS}
    assert len(rows) == len(GUESTS) * len(FORM)
    for guest in GUESTS:
        lens = load_matrix().lens_of[guest.role]
        said = {row["item"]: row["answer"] for row in rows if row["role"] == guest.role}
        assert said == {item.id: HOSPITAL.options(item.id, lens)[guest.option].id for item in FORM}
    assert {row["channel"] for row in rows} == {"own_link", "shared_link"}

    desk.goto(f"{server.url}/results?lang=fr&campaign={campaign.id}")
    ready(desk)
    assert (
        desk.locator(".pm-experienced .pm-mark").count() == 0
    )  # neither side sees the other before the closing
    desk.goto(f"{server.url}/campaign?lang=fr&campaign={campaign.id}")
    ready(desk)
    desk.locator(".st-key-ca-close button").click()
    desk.get_by_role("button", name=word("ca-close-now", "fr"), exact=True).click()
    expect(desk.get_by_text(word("ca-close-done", "fr"))).to_be_visible()
    ready(desk)
    desk.goto(f"{server.url}/results?lang=fr&campaign={campaign.id}")
    ready(desk)
    expect(desk.locator(".pm-experienced .pm-mark").first).to_be_attached()
    desk.goto(f"{server.url}/showcase?lang=fr&campaign={campaign.id}")
    ready(desk)
    assert word("state-critical", "fr") in desk.locator(".stMain").inner_text()

    for guest, place in zip(GUESTS, places, strict=True):
        page = chromium.new_context(viewport=guest.screen, locale=guest.lang).new_page()  # type: ignore[arg-type]
        page.goto(place)
        expect(page.get_by_role("heading", name=word("r-after", guest.lang))).to_be_visible()
        page.context.close()
    desk.context.close()
    server.stop()
