"""One campaign from its creation to its results, in a real browser, by everyone who takes part in it."""

from __future__ import annotations

import re
from typing import NamedTuple

import pytest
from browser import LAPTOP, PHONE, Server, Visitor, ready
from playwright.sync_api import Page, ViewportSize, expect

from dashboard import frame
from data import Answer, Invitations, Store
from matrix import load_matrix
from questionnaires import load_library

pytestmark = pytest.mark.browser
HOSPITAL = load_library()["hospital"]
FORM = HOSPITAL.form("express")
word = frame.word


class Guest(NamedTuple):
    """Who answers: in which role, by which kind of link, on what screen, in which language, and which option each time."""

    role: str
    kind: str
    screen: ViewportSize
    lang: str
    option: int


GUESTS = (
    Guest("professional", "personal", LAPTOP, "fr", -1),
    Guest("patient", "shared", PHONE, "nl", 0),
    Guest("relative", "shared", PHONE, "en", 0),
)


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


def answer(visitor: Visitor, guest: Guest, link: str) -> str:
    """Open the link, answer every question, finish; returns the address of one's own pages."""
    lens = load_matrix().lens_of[guest.role]
    page = visitor(viewport=guest.screen, locale=guest.lang)
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
    return own


def visit(page: Page, address: str) -> None:
    """Open a page and wait until it is drawn."""
    page.goto(address)
    ready(page)


def more_patients(campaign: str, people: int) -> list[Answer]:
    """What so many further patients answer: the first option each time."""
    return [
        Answer(campaign, f"more-{n}", "patient", item.id, HOSPITAL.options(item.id, "experienced")[0].id)
        for n in range(people)
        for item in FORM
        if item.asked_of("experienced")
    ]


def test_a_whole_campaign(server: Server, visitor: Visitor) -> None:
    """A campaign is created, three roles answer on three screens in three languages, it closes, and both sides see it.

    What two patients say is withheld until three more have answered.
    """
    desk = visitor()
    visit(desk, f"{server.url}/?lang=fr")
    desk.locator(".st-key-create-own button").click()
    desk.get_by_label(word("field-name", "fr")).fill("Hôpital du Val")
    desk.get_by_role("button", name=word("create", "fr"), exact=True).click()
    expect(desk.get_by_role("heading", name=word("who-title", "fr"))).to_be_visible()
    with Store.open(server.store) as store:
        [campaign] = store.campaigns()
    assert (campaign.state, campaign.form) == ("open", "express")

    visit(desk, f"{server.url}/invite?lang=fr&campaign={campaign.id}")
    links = [invite(desk, guest) for guest in GUESTS]
    places = [answer(visitor, guest, link) for guest, link in zip(GUESTS, links, strict=True)]
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

    visit(desk, f"{server.url}/results?lang=fr&campaign={campaign.id}")
    expect(desk.locator(".pm-matrix").first).to_be_visible()
    # Neither side sees the other before the closing.
    expect(desk.locator(".pm-experienced .pm-mark")).to_have_count(0)
    visit(desk, f"{server.url}/campaign?lang=fr&campaign={campaign.id}")
    desk.locator(".st-key-ca-close button").click()
    desk.get_by_role("button", name=word("ca-close-now", "fr"), exact=True).click()
    expect(desk.locator(".fr-done", has_text=word("ca-close-done", "fr"))).to_be_visible()
    ready(desk)
    # Two patients could be recognised: their cells are marked as withheld.
    visit(desk, f"{server.url}/results?lang=fr&campaign={campaign.id}")
    expect(desk.locator(".pm-experienced .pm-closed").first).to_be_attached()
    expect(desk.locator(".pm-experienced .pm-mark")).to_have_count(0)
    with Store.open(server.store) as store:
        store.reopen_campaign(campaign.id, "Trois patients de plus")
        store.save_many(more_patients(campaign.id, 3))
        store.close_campaign(campaign.id)
    desk.reload()
    ready(desk)
    expect(desk.locator(".pm-experienced .pm-mark").first).to_be_attached()
    expect(desk.locator(".pm-closed")).to_have_count(0)
    visit(desk, f"{server.url}/showcase?lang=fr&campaign={campaign.id}")
    assert word("state-critical", "fr") in desk.locator(".stMain").inner_text()

    for guest, place in zip(GUESTS, places, strict=True):
        page = visitor(viewport=guest.screen, locale=guest.lang)
        page.goto(place)
        expect(page.get_by_role("heading", name=word("r-after", guest.lang))).to_be_visible()
