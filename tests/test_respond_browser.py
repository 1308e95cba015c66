"""The respondents' pages in a real browser: without a script, over a lost connection, through a killed server."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from browser import LAPTOP, PHONE, Server, Visitor, faults
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route, ViewportSize, expect

from data import Answer, Invitations, Store
from questionnaires import load_library

if TYPE_CHECKING:
    from playwright.sync_api import ConsoleMessage, Dialog

pytestmark = pytest.mark.browser
BUDGET = 80 * 1024
TARGET = 44
HOSPITAL = load_library()["hospital"]
ITEMS = [item.id for item in HOSPITAL.form("express") if item.asked_of("experienced")]
OPTIONS = [option.id for option in HOSPITAL.options(ITEMS[0], "experienced")]
HONEST = "Pas encore enregistré"


class Served(NamedTuple):
    """A server with an open express campaign."""

    server: Server
    campaign: str

    def link(self) -> str:
        """The address of a new personal link of a patient."""
        with Store.open(self.server.store) as store:
            [issued] = Invitations(store).personal(self.campaign, "patient", 1)
        return f"{self.server.url}/r/{issued.token}"

    def shared(self) -> str:
        """The address of a new shared link for patients."""
        with Store.open(self.server.store) as store:
            return f"{self.server.url}/s/{Invitations(store).shared(self.campaign, 'patient').token}"

    def kept(self, link: str) -> dict[str, Answer]:
        """The standing answers of whose link this is."""
        with Store.open(self.server.store) as store:
            who = Invitations(store).open_personal(link.rsplit("/", 1)[-1])
            assert who is not None
            return store.respondent(self.campaign, who.code, who.role)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server for all tests that do not harm it."""
    with _served(tmp_path_factory.mktemp("respond")) as found:
        yield found


@contextmanager
def _served(folder: Path) -> Iterator[Served]:
    server = Server(folder)
    campaign = _campaign(server)
    with server:
        yield Served(server, campaign)


def _campaign(server: Server) -> str:
    """The id of a new open campaign."""
    with Store.open(server.store) as store:
        house = store.add_institution("Centre hospitalier", country="be")
        return store.add_campaign(house.id, HOSPITAL, title="Partenariat", year=2026, form="express").id


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """A device of its own, in French."""
    with chromium.new_context(viewport=PHONE, locale="fr-BE") as made:
        yield made


def begin(page: Page, link: str) -> None:
    """Begin on a personal link."""
    page.goto(link)
    page.get_by_role("button", name="Commencer").click()
    page.wait_for_url("**/1")


def option(page: Page, question: int, choice: int) -> None:
    """Choose an option of a question, by its sentence, as a person does."""
    page.locator("fieldset").nth(question).locator("label.option").nth(choice).click()


def why(page: Page) -> Locator:
    """The only reason that is asked for."""
    return page.locator("textarea[name^='w-']:visible")


def status(page: Page) -> str:
    """What the page says of what was just done."""
    return page.locator("#status").inner_text()


def saved(page: Page) -> None:
    """Wait until the page says that an answer is kept."""
    expect(page.locator("#status")).to_contain_text("Enregistré à")


def until(page: Page, holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    for _ in range(200):
        if holds():
            return
        page.wait_for_timeout(50)
    assert holds()


def test_a_whole_form_without_a_script(served: Served, visitor: Visitor) -> None:
    """Without JavaScript a person begins, answers, says why, comments, changes language, goes back and finishes."""
    page = visitor(viewport=PHONE, java_script_enabled=False)
    page.goto(served.shared())
    page.get_by_role("button", name="Commencer").click()
    link = page.get_by_label("Votre adresse").input_value()
    page.get_by_role("link", name="Continuer").click()
    expect(page.get_by_text("quand vous changez de page")).to_be_visible()
    option(page, 0, 5)
    page.get_by_role("button", name="Suivant").click()
    expect(page.get_by_role("alert")).to_contain_text("Dites pourquoi")
    why(page).fill("pas pour moi")
    page.locator("fieldset").nth(1).get_by_text("Ajouter un commentaire").click()
    option(page, 1, 0)
    page.locator("fieldset").nth(1).get_by_label("Commentaire").fill("où ça ?")
    page.get_by_role("button", name="Nederlands").click()
    expect(page.locator("html")).to_have_attribute("lang", "nl")
    page.get_by_role("button", name="Français").click()
    page.get_by_role("button", name="Suivant").click()
    page.get_by_role("button", name="Précédent").click()
    kept = served.kept(link)
    assert kept[ITEMS[0]].reason == "pas pour moi"
    assert (kept[ITEMS[1]].answer, kept[ITEMS[1]].comment) == (OPTIONS[0], "où ça ?")
    page.locator("fieldset").nth(0).get_by_role("button", name="Effacer").click()
    assert set(served.kept(link)) == {ITEMS[1]}
    while "/finish" not in page.url:
        for n in range(page.locator("fieldset").count()):
            option(page, n, 1)
        page.locator(".turn .primary").click()
    page.get_by_role("button", name="Terminer").click()
    expect(page.get_by_label("Votre code de reçu")).to_have_value(re.compile(r"^\w{4}(-\w{4}){3}$"))
    second = {id_: HOSPITAL.options(id_, "experienced")[1].id for id_ in ITEMS}
    assert {id_: one.answer for id_, one in served.kept(link).items()} == second


def test_each_answer_is_kept_at_once_and_said_after(served: Served, context: BrowserContext) -> None:
    """A live region says "saved" when the server has it and not before; comments and reasons too."""
    page, link = context.new_page(), served.link()
    begin(page, link)
    held: list[Route] = []
    page.route("**/answer", lambda route: held.append(route))  # noqa: PLW0108  # it marks the function
    option(page, 0, 1)
    until(page, lambda: len(held) == 1)
    page.wait_for_timeout(700)
    assert "Enregistré à" not in status(page)
    held[0].continue_()
    page.unroute("**/answer")
    saved(page)
    assert page.locator("#status").get_attribute("role") == "status"
    assert served.kept(link)[ITEMS[0]].answer == OPTIONS[1]
    expect(page.get_by_text(f"Réponses\u00a0: 1 sur {len(ITEMS)}")).to_be_visible()
    option(page, 1, 5)
    expect(page.locator("#status")).to_contain_text("Dites pourquoi")
    assert ITEMS[1] not in served.kept(link)
    why(page).fill("pas ici")
    saved(page)
    assert served.kept(link)[ITEMS[1]].reason == "pas ici"
    page.locator("fieldset").nth(0).get_by_role("button", name="Effacer").click()
    expect(page.locator("#status")).to_contain_text("Réponse effacée")
    assert set(served.kept(link)) == {ITEMS[1]}


def test_nothing_is_lost_with_the_connection(served: Served, context: BrowserContext) -> None:
    """Offline, the page says so and holds both answers and the next page; both go on by themselves."""
    page, link = context.new_page(), served.link()
    begin(page, link)
    option(page, 0, 1)
    saved(page)
    context.set_offline(True)
    option(page, 0, 2)
    expect(page.locator("#status")).to_contain_text(HONEST)
    option(page, 1, 3)
    page.get_by_role("button", name="Suivant").click()
    expect(page.locator("#status")).to_contain_text("La page suivante s\u2019ouvrira seule")
    page.wait_for_timeout(500)
    assert page.url.endswith("/1")
    assert served.kept(link)[ITEMS[0]].answer == OPTIONS[1]
    context.set_offline(False)
    page.wait_for_url("**/2")
    assert {id_: one.answer for id_, one in served.kept(link).items()} == {
        ITEMS[0]: OPTIONS[2],
        ITEMS[1]: OPTIONS[3],
    }


def test_next_without_a_connection_waits_even_when_all_is_kept(
    served: Served, context: BrowserContext
) -> None:
    """Turning the page offline leads to no browser error: it waits, then turns."""
    page = context.new_page()
    begin(page, served.link())
    context.set_offline(True)
    page.get_by_role("button", name="Suivant").click()
    expect(page.locator("#status")).to_contain_text("La connexion manque")
    context.set_offline(False)
    page.wait_for_url("**/2")


def test_unsent_answers_survive_a_closed_tab(served: Served, context: BrowserContext) -> None:
    """What was answered offline waits on the device; a new visit shows it and sends it."""
    page, link = context.new_page(), served.link()
    begin(page, link)
    context.set_offline(True)
    option(page, 0, 2)
    expect(page.locator("#status")).to_contain_text(HONEST)
    page.close()
    context.set_offline(False)
    again = context.new_page()
    again.goto(link)
    expect(again.locator("fieldset").nth(0).get_by_role("radio").nth(2)).to_be_checked()
    until(again, lambda: served.kept(link).get(ITEMS[0]) is not None)
    assert served.kept(link)[ITEMS[0]].answer == OPTIONS[2]
    assert again.evaluate("Object.keys(localStorage).length") == 0


def test_an_answer_resumes_on_another_device(
    served: Served, visitor: Visitor, context: BrowserContext
) -> None:
    """The same link on another device opens the first page with an open question, with the answers given."""
    page, link = context.new_page(), served.link()
    begin(page, link)
    option(page, 0, 1)
    saved(page)
    other = visitor(locale="nl-BE")
    other.goto(link)
    expect(other.locator("fieldset").nth(0).get_by_role("radio").nth(1)).to_be_checked()
    expect(other.locator("html")).to_have_attribute("lang", "fr")


def test_leaving_warns_only_when_something_is_not_kept(served: Served, context: BrowserContext) -> None:
    """The browser asks before it leaves with an unsent or unfinished answer, and never otherwise."""
    page = context.new_page()
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    begin(page, served.link())
    option(page, 1, 5)
    page.close(run_before_unload=True)
    until(page, lambda: asked == ["beforeunload"])
    why(page).fill("pas ici")
    saved(page)
    context.set_offline(True)
    option(page, 0, 2)
    expect(page.locator("#status")).to_contain_text(HONEST)
    page.close(run_before_unload=True)
    until(page, lambda: len(asked) == 2)
    context.set_offline(False)
    saved(page)
    with page.expect_event("close"):
        page.close(run_before_unload=True)
    assert len(asked) == 2


def test_two_tabs_agree_on_the_last_change(served: Served, context: BrowserContext) -> None:
    """The last change wins; the other tab shows it as soon as somebody looks at it, and does not undo it."""
    first, second, link = context.new_page(), context.new_page(), served.link()
    begin(first, link)
    second.goto(f"{link}/1")
    option(first, 0, 1)
    saved(first)
    option(second, 0, 3)
    saved(second)
    first.bring_to_front()
    first.evaluate("dispatchEvent(new Event('focus'))")
    expect(first.locator("fieldset").nth(0).get_by_role("radio").nth(3)).to_be_checked()
    option(first, 1, 0)
    saved(first)
    first.get_by_role("button", name="Suivant").click()
    first.wait_for_url("**/2")
    second.get_by_role("button", name="Suivant").click()  # it never heard of the second question
    second.wait_for_url("**/2")
    assert {id_: one.answer for id_, one in served.kept(link).items()} == {
        ITEMS[0]: OPTIONS[3],
        ITEMS[1]: OPTIONS[0],
    }


def test_an_older_unsent_answer_does_not_undo_a_newer_one(
    served: Served, visitor: Visitor, context: BrowserContext
) -> None:
    """A device that was offline gives way to what was answered later elsewhere, and says so."""
    page, link = context.new_page(), served.link()
    begin(page, link)
    context.set_offline(True)
    option(page, 0, 0)
    option(page, 1, 0)
    expect(page.locator("#status")).to_contain_text(HONEST)
    other = visitor()
    other.goto(link)
    option(other, 0, 3)
    saved(other)
    other.context.close()
    context.set_offline(False)
    expect(page.locator("fieldset").nth(0).get_by_role("radio").nth(3)).to_be_checked()
    until(page, lambda: len(served.kept(link)) == 2)
    assert {id_: one.answer for id_, one in served.kept(link).items()} == {
        ITEMS[0]: OPTIONS[3],
        ITEMS[1]: OPTIONS[0],
    }


def test_a_lost_reply_does_not_undo_a_newer_choice(served: Served, context: BrowserContext) -> None:
    """When the server kept an answer but the reply was lost, the choice made meanwhile on the page still wins."""
    page, link = context.new_page(), served.link()
    begin(page, link)
    lose = [True]

    def answered(route: Route) -> None:
        if lose.pop() if lose else False:
            option(page, 0, 3)  # while the first one is on its way
            route.fetch()
            route.abort()
        else:
            route.continue_()

    page.route("**/answer", answered)
    option(page, 0, 1)
    saved(page)
    assert served.kept(link)[ITEMS[0]].answer == OPTIONS[3]
    expect(page.locator("fieldset").nth(0).get_by_role("radio").nth(3)).to_be_checked()


def test_every_acknowledged_answer_survives_a_killed_server(tmp_path: Path, context: BrowserContext) -> None:
    """Killed while somebody answers, the server has every answer the page called saved; the rest follow by themselves."""
    with _served(tmp_path) as served:
        page, link = context.new_page(), served.link()
        begin(page, link)
        for n in range(3):
            option(page, n, n)
            saved(page)
        acknowledged = served.kept(link)
        assert len(acknowledged) == 3
        served.server.kill()
        option(page, 3, 1)
        expect(page.locator("#status")).to_contain_text(HONEST)
        option(page, 0, 3)
        page.get_by_role("button", name="Suivant").click()
        page.wait_for_timeout(1500)
        assert page.url.endswith("/1")
        served.server.start()
        page.wait_for_url("**/2", timeout=30_000)
        kept = {id_: one.answer for id_, one in served.kept(link).items()}
        assert kept == {
            ITEMS[0]: OPTIONS[3],
            ITEMS[1]: OPTIONS[1],
            ITEMS[2]: OPTIONS[2],
            ITEMS[3]: OPTIONS[1],
        }


def test_a_campaign_that_closes_meanwhile_is_told(served: Served, context: BrowserContext) -> None:
    """An answer that comes after the closing is not called saved, and is not sent for ever."""
    closing = Served(served.server, _campaign(served.server))
    page, link = context.new_page(), closing.link()
    begin(page, link)
    with Store.open(closing.server.store) as store:
        store.close_campaign(closing.campaign)
    option(page, 0, 1)
    expect(page.locator("#status")).to_contain_text("enquête est terminée")
    assert page.evaluate("Object.keys(localStorage).length") == 0
    page.goto(link)
    expect(page.get_by_role("heading", level=1)).to_have_text("Vous avez dit, nous avons fait")


def test_a_whole_form_by_keyboard(served: Served, context: BrowserContext) -> None:
    """Tab, space, arrows and Enter alone lead from the link to the receipt, and Enter clears nothing."""
    page, link = context.new_page(), served.link()
    page.goto(link)
    _press_until(page, "Commencer")
    page.keyboard.press("Enter")
    page.wait_for_url("**/1")
    page.locator("fieldset").nth(0).get_by_role("radio").nth(0).focus()
    page.keyboard.press("Space")
    saved(page)
    page.keyboard.press("ArrowDown")
    until(page, lambda: served.kept(link)[ITEMS[0]].answer == OPTIONS[1])
    page.keyboard.press("Enter")
    page.wait_for_timeout(300)
    expect(page.locator("fieldset").nth(0).get_by_role("radio").nth(1)).to_be_checked()
    assert served.kept(link)[ITEMS[0]].answer == OPTIONS[1]
    for n in range(2, 6):
        _press_until(page, "Suivant")
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/{n}")
    _press_until(page, "Terminer")
    page.keyboard.press("Enter")
    page.wait_for_url("**/finish")
    _press_until(page, "Terminer")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Votre code de reçu")).to_be_visible()


def _press_until(page: Page, name: str) -> None:
    """Press Tab until the focus is on a button of this name; it must always be seen, and not behind the progress."""
    for _ in range(80):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            """() => {
              const one = document.activeElement, box = one.getBoundingClientRect();
              const top = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
              return [one.textContent.trim(), box.height === 0 || one.contains(top) || top?.contains(one)];
            }"""
        )
        assert focused[1], focused
        if focused[0].startswith(name):
            return
    raise AssertionError(name)


def _every_page(served: Served, page: Page) -> Iterator[str]:
    """Lead a page through every kind of page of ours, with its name."""
    link = served.shared()
    page.goto(link)
    yield "welcome"
    page.goto(f"{link}/privacy")
    yield "privacy"
    page.goto(link)
    page.locator("main form button").click()
    yield "address"
    page.locator("a.primary").click()
    option(page, 0, 0)
    saved_anyhow = page.locator("#status")
    expect(saved_anyhow).not_to_be_empty()
    yield "questions"
    option(page, 1, 5)
    page.locator(".turn .primary").click()
    page.wait_for_selector(".errors")
    page.locator("summary").first.click()
    page.wait_for_timeout(200)
    yield "errors"
    form = page.url.removesuffix("/1")
    page.goto(link)
    yield "open"
    page.goto(f"{form}/finish")
    page.locator("summary").first.click()
    yield "check"
    page.locator("main form .primary").click()
    receipt = page.locator("#receipt").input_value()
    yield "receipt"
    page.goto(form)
    yield "submitted"
    page.goto(f"{served.server.url}/withdraw")
    page.locator("#receipt").fill("wrong")
    page.locator("main form .primary").click()
    yield "wrong receipt"
    page.locator("#receipt").fill(receipt)
    page.locator("main form .primary").click()
    yield "confirm"
    page.locator(".danger").click()
    yield "erased"
    page.goto(form)
    yield "unknown"


def _other_pages(served: Served, page: Page) -> Iterator[str]:
    """Lead a page to a campaign that is not open yet and to one that is closed, with its name."""
    with Store.open(served.server.store) as store:
        invitations = Invitations(store)
        house = store.institutions()[0].id
        draft = store.add_campaign(house, HOSPITAL, title="Demain", year=2027, form="express", state="draft")
        closed = store.add_campaign(house, HOSPITAL, title="Hier", year=2025, form="express")
        soon, over = (invitations.shared(one.id, "patient").token for one in (draft, closed))
        store.add_feedback(closed.id, axis="care", said="Nous attendons.", did="Moins.", state="done")
        store.close_campaign(closed.id)
    page.goto(f"{served.server.url}/s/{soon}")
    yield "draft"
    page.goto(f"{served.server.url}/s/{over}")
    yield "after"


@pytest.mark.parametrize(
    ("lang", "scheme", "size"),
    [("fr", "light", PHONE), ("nl", "dark", PHONE), ("en", "light", LAPTOP), ("fr", "dark", LAPTOP)],
)
def test_every_page_is_for_everyone(
    served: Served, visitor: Visitor, lang: str, scheme: str, size: ViewportSize
) -> None:
    """On every page axe finds nothing, targets are large enough, twice the text fits the screen, no policy is broken."""
    page = visitor(viewport=size, locale=lang, color_scheme=scheme)
    broken: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type == "error" and "404" not in message.text and "422" not in message.text:
            broken.append(message.text)

    page.on("console", heard)
    for name in chain(_every_page(served, page), _other_pages(served, page)):
        assert page.locator("html").get_attribute("lang") == lang, name
        assert not faults(page), name
        small = page.evaluate(
            """least => [...document.querySelectorAll("button, .option, input:not([type]), summary, footer a, nav a, a.primary, a.button")]
              .filter((one) => one.offsetParent && getComputedStyle(one).visibility !== "hidden" && one.getBoundingClientRect().height < least - 0.5)
              .map((one) => one.outerHTML.slice(0, 90))""",
            TARGET,
        )
        assert small == [], name
        for size_of_text in ("200%", ""):
            page.evaluate("size => { document.documentElement.style.fontSize = size; }", size_of_text)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (name, size_of_text)
    assert broken == []


def test_a_first_load_is_light_and_keeps_to_its_policy(served: Served, visitor: Visitor) -> None:
    """All that a first visit and the heaviest page bring over the wire stays under 80 KB; one policy applies."""
    link = served.link()
    begin(visitor(viewport=PHONE), link)
    fresh = visitor(viewport=PHONE)
    session = fresh.context.new_cdp_session(fresh)
    session.send("Network.enable")
    sizes: list[float] = []
    session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    reply = fresh.goto(f"{link}/2")
    assert reply is not None
    fresh.wait_for_load_state("networkidle")
    assert len(sizes) >= 3
    assert sum(sizes) < BUDGET
    policies = [
        one["value"] for one in reply.headers_array() if one["name"].lower() == "content-security-policy"
    ]
    assert len(policies) == 1
    assert policies[0].startswith("default-src 'none'; script-src 'self'; style-src 'self'")


def test_a_text_that_is_too_long_is_told_and_not_cut(served: Served, context: BrowserContext) -> None:
    """What was pasted stays on the page whole, with what to do; once shortened it is kept."""
    page, link = context.new_page(), served.link()
    begin(page, link)
    option(page, 0, 1)
    saved(page)
    page.locator("fieldset").nth(0).get_by_text("Ajouter un commentaire").click()
    comment = page.locator("fieldset").nth(0).get_by_label("Commentaire")
    comment.fill("x" * 1001)
    expect(page.locator("#status")).to_contain_text("trop long")
    assert len(comment.input_value()) == 1001
    assert served.kept(link)[ITEMS[0]].comment == ""
    comment.fill("x" * 1000)
    saved(page)
    assert len(served.kept(link)[ITEMS[0]].comment) == 1000


def test_two_quick_clicks_begin_once(served: Served, context: BrowserContext) -> None:
    """A double click on the button makes one respondent, not two."""
    page, link = context.new_page(), served.shared()
    page.goto(link)
    with Store.open(served.server.store) as store:
        before = len(Invitations(store).respondents(served.campaign))
        page.get_by_role("button", name="Commencer").dblclick()
        page.wait_for_url("**/address")
        assert len(Invitations(store).respondents(served.campaign)) == before + 1


def test_a_receipt_prints_alone(served: Served, context: BrowserContext) -> None:
    """On paper the receipt keeps its code and addresses, and no button."""
    page, link = context.new_page(), served.link()
    begin(page, link)
    page.goto(f"{link}/finish")
    page.get_by_role("button", name="Terminer").click()
    expect(page.get_by_role("button", name="Imprimer")).to_be_visible()
    page.get_by_role("button", name="Copier").click()
    expect(page.get_by_text("Copié", exact=True)).to_be_visible()
    page.emulate_media(media="print")
    expect(page.get_by_label("Votre code de reçu")).to_be_visible()
    expect(page.get_by_text("/withdraw").first).to_be_visible()
    assert page.locator("button:visible").count() == 0


def test_nothing_moves_when_an_answer_is_given(served: Served, context: BrowserContext) -> None:
    """Choosing an option and hearing that it is saved, or that it is not, shifts nothing on the page."""
    page = context.new_page()
    begin(page, served.link())
    where = (
        "[...document.querySelectorAll('fieldset')].map((one) => one.getBoundingClientRect().top + scrollY)"
    )
    before = page.evaluate(where)
    option(page, 0, 1)
    saved(page)
    assert page.evaluate(where) == before
    context.set_offline(True)
    option(page, 0, 2)
    expect(page.locator("#status")).to_contain_text(HONEST)
    assert page.evaluate(where) == before
    context.set_offline(False)
    saved(page)
