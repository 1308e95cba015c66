"""Signing in, in a real browser against a real server: with a password, and with an OIDC provider on this machine."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import PHONE, ROOT, Server, Visitor, ready
from playwright.sync_api import Page, expect

from data import Store
from data.accounts import EVERYWHERE, Accounts
from data.demo import load_example
from matrix import Words, load_matrix

pytestmark = pytest.mark.browser
LONG = "Marie-Antoinette Vandenbroucke-Van Cauwenberghe"
PASSWORD = "quatre mots très simples"  # noqa: S105  # a test's
ROLES = {
    "coordinator": {
        "home",
        "campaign",
        "answer",
        "invite",
        "results",
        "showcase",
        "questionnaires",
        "method",
    },
    "contributor": {"home", "answer", "results", "showcase", "questionnaires", "method"},
    "reader": {"home", "results", "showcase", "questionnaires", "method"},
    "researcher": {"results", "showcase", "questionnaires", "method"},
}
word = Words.load(*sorted((ROOT / "dashboard" / "words").glob("*.yaml")))


@pytest.fixture
def page(visitor: Visitor) -> Page:
    """A page of somebody who was never here, in English."""
    return visitor(locale="en-GB")


def fill_store(server: Server) -> None:
    """The example, an account of each role, one with a long name, and one without any role."""
    with Store.open(server.store) as store:
        load_example(store)
        accounts = Accounts(store)
        for role in ROLES:
            accounts.add(f"{role}@chu.be", role.title(), PASSWORD)
            accounts.grant(f"{role}@chu.be", EVERYWHERE, role)
        accounts.add("long@chu.be", LONG, PASSWORD)
        accounts.grant("long@chu.be", EVERYWHERE, "coordinator")
        accounts.add("nobody@chu.be", "", PASSWORD)


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that asks for sign-in with the store's own accounts."""
    server = Server(tmp_path_factory.mktemp("local"), POMEY_SIGN_IN="required")
    fill_store(server)
    with server:
        yield server


def sign_in(page: Page, id_: str, password: str = PASSWORD) -> None:
    """Fill in the sign-in page."""
    page.fill("#id", id_)
    page.fill("#password", password)
    page.get_by_role("button", name=word("access-enter", "en"), exact=True).click()


def offers(page: Page, role: str) -> bool:
    """Whether the bar above every page, once it is drawn, offers a role's pages and no other."""
    links = page.locator(".st-key-frame-pages a")
    expect(links).to_have_count(len(ROLES[role]))
    return {(link.get_attribute("href") or "").split("?")[0] or "home" for link in links.all()} == ROLES[role]


def test_a_wrong_password_says_so_and_the_right_one_goes_where_one_wanted(page: Page, local: Server) -> None:
    """Whoever opens a page signs in first, keeps the id after a slip, and lands on the page that was asked for."""
    page.goto(f"{local.url}/method?lang=nl")
    expect(page).to_have_title(re.compile(word("access-sign-in", "nl")))
    expect(page.locator("html")).to_have_attribute("lang", "nl")
    page.get_by_role("link", name="English").click()
    sign_in(page, "reader@chu.be", "not the password")
    expect(page.get_by_role("alert")).to_have_text(word("access-wrong", "en"))
    expect(page.locator("#id")).to_have_value("reader@chu.be")
    expect(page.locator("#password")).to_have_value("")
    assert page.context.cookies() == []
    sign_in(page, "reader@chu.be")
    ready(page)
    assert page.url.startswith(f"{local.url}/method")
    expect(page.locator(".fr-person")).to_have_text("Reader")
    [cookie] = [one for one in page.context.cookies() if one["name"] == "pomey_sign_in"]
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Lax"


WHOLE_BAR = """name => {
  const bar = document.querySelector(".st-key-frame").getBoundingClientRect();
  const menu = document.querySelector(".fr-menu");
  if (menu?.querySelector("summary").offsetParent) menu.open = true;
  const out = [...document.querySelectorAll("button")].find((one) => one.textContent.trim() === name);
  return bar.height < 64 && out?.offsetParent && out.getBoundingClientRect().right <= bar.right + 1;
}"""
"""Whether the bar, its menu opened where there is one, is one line and holds the whole button of this name."""


def test_the_bar_is_one_line_for_a_long_name_too(visitor: Visitor, local: Server) -> None:
    """In each language the bar of somebody signed in is one line within the screen, and the way out is whole in it."""
    page = visitor(locale="en-GB")
    page.goto(f"{local.url}/method?lang=en")
    sign_in(page, "long@chu.be")
    for lang in load_matrix().languages:
        page.goto(f"{local.url}/method?lang={lang}")
        ready(page)
        expect(page.locator(".fr-person")).to_have_attribute("title", LONG)
        for width in (1440, 1280, 1101, PHONE["width"]):
            page.set_viewport_size({"width": width, "height": 800})
            page.wait_for_function(WHOLE_BAR, arg=word("access-out", lang))


@pytest.mark.parametrize("role", ROLES)
def test_a_role_is_offered_its_pages_and_told_so_on_the_others(page: Page, local: Server, role: str) -> None:
    """The bar offers the role's pages; the address of another says it is not open, and draws nothing of it."""
    page.goto(f"{local.url}/?lang=en")
    sign_in(page, f"{role}@chu.be")
    ready(page)
    assert offers(page, role)
    for name in ROLES["coordinator"] - ROLES[role] - {"home"}:
        page.goto(f"{local.url}/{name}?lang=en")
        ready(page)
        expect(page.locator("h1")).to_have_text(word("access-closed", "en"))
        expect(page.locator("[data-testid=stMain] input, [data-testid=stMain] textarea")).to_have_count(0)
    if "home" not in ROLES[role]:
        page.goto(local.url)
        page.wait_for_url(re.compile("/results"))
    page.goto(f"{local.url}/method")
    ready(page)
    expect(page.locator("h1")).to_contain_text("Method")


def test_a_researcher_sees_an_assessment_once_it_is_closed(page: Page, local: Server) -> None:
    """The open example is not there for a researcher; another role sees it on the same page."""
    with Store.open(local.store) as store:
        [example] = [one for one in store.campaigns() if one.synthetic]
        if example.state == "closed":
            store.reopen_campaign(example.id, "for this test")
    page.goto(f"{local.url}/results?lang=en&campaign={example.id}")
    sign_in(page, "researcher@chu.be")
    ready(page)
    expect(page.locator("h1")).to_have_text(word("results-empty", "en"))
    with Store.open(local.store) as store:
        store.close_campaign(example.id)
    page.reload()
    ready(page)
    expect(page.locator("[data-testid=stMain]")).to_contain_text(example.title)


def test_signing_out_ends_it_in_every_window(page: Page, local: Server) -> None:
    """After signing out nothing opens any more: not by going back, not in another window, not with the old cookie."""
    page.goto(f"{local.url}/method?lang=en")
    sign_in(page, "coordinator@chu.be")
    ready(page)
    kept = page.context.cookies()
    other = page.context.new_page()
    other.goto(f"{local.url}/method?lang=en")
    ready(other)
    page.get_by_role("button", name=word("access-out", "en")).click()
    expect(page.locator("#password")).to_be_visible()
    other.get_by_role("button", name="Nederlands").click()
    expect(other.locator("h1")).to_have_text(word("access-ended", "nl"))
    expect(other.locator(".st-key-frame-pages a")).to_have_count(0)
    page.context.add_cookies([one for one in kept if one["name"] == "pomey_sign_in"])  # type: ignore[list-item]
    page.goto(f"{local.url}/method?lang=en")
    expect(page.locator("#password")).to_be_visible()
    page.go_back()
    expect(page.locator("#password")).to_be_visible()


def test_an_account_that_is_disabled_loses_the_page_it_is_on(page: Page, local: Server) -> None:
    """Disabling reaches a page that is open: its next step shows nothing but the way to sign in."""
    with Store.open(local.store) as store:
        Accounts(store).add("leaver@chu.be", "", PASSWORD)
        Accounts(store).grant("leaver@chu.be", EVERYWHERE, "coordinator")
    page.goto(f"{local.url}/results?lang=en")
    sign_in(page, "leaver@chu.be")
    ready(page)
    with Store.open(local.store) as store:
        Accounts(store).disable("leaver@chu.be")
    page.get_by_role("button", name="Nederlands").click()
    expect(page.locator("h1")).to_have_text(word("access-ended", "nl"))


def test_an_account_without_a_role_is_told_whom_to_ask(page: Page, local: Server) -> None:
    """The right password of an account without a role opens nothing, and says what is missing."""
    page.goto(f"{local.url}/?lang=en")
    sign_in(page, "nobody@chu.be")
    expect(page.get_by_role("alert")).to_have_text(word("access-no-access", "en", identity="nobody@chu.be"))
    assert page.context.cookies() == []


def test_guessing_has_to_wait(page: Page, local: Server) -> None:
    """After five wrong passwords the page says when to try again, and refuses even the right one."""
    page.goto(f"{local.url}/?lang=en")
    with Store.open(local.store) as store:
        Accounts(store).add("target@chu.be", "", PASSWORD)
        Accounts(store).grant("target@chu.be", EVERYWHERE, "reader")
    for _ in range(5):
        sign_in(page, "target@chu.be", "a guess or another")
        expect(page.get_by_role("alert")).to_have_text(word("access-wrong", "en"))
    sign_in(page, "target@chu.be")
    expect(page.get_by_role("alert")).to_have_text(word("access-limited", "en", minutes=5))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("lang", load_matrix().languages)
def test_the_sign_in_page_stands_without_script_and_within_reach(
    visitor: Visitor, local: Server, lang: str, scheme: str
) -> None:
    """In each language, light and dark, on a phone: no accessibility fault, nothing blocked, no sideways scrolling."""
    page = visitor(viewport=PHONE, color_scheme=scheme)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(f"{local.url}/sign-in?lang={lang}")
    expect(page.locator("h1")).to_have_text(word("access-sign-in", lang))
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert said == []
    body, dark = page.evaluate("getComputedStyle(document.body).backgroundColor"), scheme == "dark"
    assert (body == "rgb(18, 24, 29)") == dark  # the style is not blocked by our own policy
    page = visitor(color_scheme=scheme, bypass_csp=True)
    page.goto(f"{local.url}/sign-in?lang={lang}")
    assert Axe().run(page).response["violations"] == []


# OIDC


@pytest.fixture(scope="module")
def oidc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose staff sign in with an OIDC provider on this machine."""
    from oidc_provider_mock import User, run_server_in_thread  # noqa: PLC0415  # here: it warns as it loads

    people = [
        User(sub="anne", claims={"email": "Reader@CHU.be", "email_verified": True, "name": "Anne"}),
        User(sub="stranger", claims={"email": "stranger@chu.be", "email_verified": True}),
        User(sub="unverified", claims={"email": "coordinator@chu.be", "email_verified": False}),
        User(sub="leaver", claims={"email": "leaver@chu.be", "email_verified": True}),
    ]
    folder = tmp_path_factory.mktemp("oidc")
    server = Server(folder, POMEY_SIGN_IN="required", HOME=str(folder), USERPROFILE=str(folder))
    fill_store(server)
    secrets = folder / ".streamlit" / "secrets.toml"
    secrets.parent.mkdir()
    with run_server_in_thread(user_claims=people) as vouching:
        secrets.write_text(
            f"""
[auth]
redirect_uri = "{server.url}/oauth2callback"
cookie_secret = "{"secret of a test " * 3}"
client_id = "pomey"
client_secret = "of a test"
server_metadata_url = "http://localhost:{vouching.server_port}/.well-known/openid-configuration"
""",
            encoding="utf-8",
        )
        with server:
            yield server


def vouch(page: Page, server: Server, subject: str) -> None:
    """Go to the provider from the server's page, be vouched for under a subject, and come back."""
    page.goto(f"{server.url}/results?lang=en")
    ready(page)
    expect(page.locator("h1")).to_have_text(word("access-sign-in", "en"))
    page.get_by_role("button", name=word("access-provider", "en")).click()
    page.get_by_role("button", name=subject, exact=True).click()
    page.wait_for_url(re.compile(re.escape(server.url)))
    ready(page)


def test_whom_the_provider_vouches_for_gets_their_role(page: Page, oidc: Server) -> None:
    """Before: one button and nothing else; after: the pages of the account with the same e-mail; then out again."""
    page.goto(f"{oidc.url}/results?lang=en")
    ready(page)
    expect(page.locator(".st-key-frame-pages a")).to_have_count(0)
    expect(page.locator("[data-testid=stMain]")).not_to_contain_text("Hôpital")
    vouch(page, oidc, "anne")
    assert offers(page, "reader")
    expect(page.locator(".fr-person")).to_have_text("Reader")
    page.get_by_role("button", name=word("access-out", "en")).click()
    page.wait_for_url(re.compile("end_session"))
    page.goto(f"{oidc.url}/results?lang=en")
    ready(page)
    expect(page.locator("h1")).to_have_text(word("access-sign-in", "en"))


@pytest.mark.parametrize(
    ("subject", "why", "identity"),
    [("stranger", "no-access", "stranger@chu.be"), ("unverified", "unverified", "coordinator@chu.be")],
)
def test_being_vouched_for_is_not_enough(
    page: Page, oidc: Server, subject: str, why: str, identity: str
) -> None:
    """An e-mail without an account, or one the provider has not verified, opens nothing and is told whom to ask."""
    vouch(page, oidc, subject)
    expect(page.locator("h1")).to_have_text(word(f"access-{why}-title", "en"))
    expect(page.locator("[data-testid=stMain]")).to_contain_text(
        word(f"access-{why}", "en", identity=identity)
    )
    expect(page.locator(".st-key-frame-pages a")).to_have_count(0)


def test_a_password_opens_beside_the_provider(page: Page, oidc: Server) -> None:
    """Where a provider vouches for most, an account with a password still signs in with it."""
    page.goto(f"{oidc.url}/?lang=en")
    ready(page)
    page.get_by_role("link", name=word("access-with-password", "en")).click()
    sign_in(page, "contributor@chu.be")
    ready(page)
    expect(page.locator(".fr-person")).to_have_text("Contributor")
    assert offers(page, "contributor")


def test_an_account_that_is_disabled_is_no_longer_let_in_by_the_provider(page: Page, oidc: Server) -> None:
    """The provider's word opens nothing once the account is disabled, on the page that is open too."""
    with Store.open(oidc.store) as store:
        Accounts(store).add("leaver@chu.be")
        Accounts(store).grant("leaver@chu.be", EVERYWHERE, "coordinator")
    vouch(page, oidc, "leaver")
    assert offers(page, "coordinator")
    with Store.open(oidc.store) as store:
        Accounts(store).disable("leaver@chu.be")
    page.get_by_role("button", name="Nederlands").click()
    expect(page.locator("h1")).to_have_text(word("access-no-access-title", "nl"))
