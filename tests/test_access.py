"""Who reaches what: every route and page, with who may have it, tried by everybody else; and when the server refuses to start."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from browser import ROOT, Server
from streamlit.testing.v1 import AppTest
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from dashboard import access, frame
from dashboard.attempts import Attempts
from data import Answer, Campaign, Invitations, Store
from data.accounts import EVERYWHERE, ROLES, Accounts
from data.demo import load_example
from matrix import Refused
from questionnaires import load_library

ANYONE, LINK, STAFF, PROVIDER = (
    "anyone",
    "a respondent by their link",
    "staff",
    "staff, or anyone on the way to a provider",
)
# Every route: who may reach it, and an address of it. A route that is not here fails the tests.
ROUTES = {
    "/health": (ANYONE, "/health"),
    "/sign-in": (ANYONE, "/sign-in"),
    "/sign-out": (ANYONE, "/sign-out"),
    "/assets/{name}": (ANYONE, "/assets/none.css"),
    "/s/{token}": (LINK, "/s/TOKEN"),
    "/s/{token}/privacy": (LINK, "/s/TOKEN/privacy"),
    "/r/{token}": (LINK, "/r/TOKEN"),
    "/r/{token}/address": (LINK, "/r/TOKEN/address"),
    "/r/{token}/answers": (LINK, "/r/TOKEN/answers"),
    "/r/{token}/answer": (LINK, "/r/TOKEN/answer"),
    "/r/{token}/finish": (LINK, "/r/TOKEN/finish"),
    "/r/{token}/privacy": (LINK, "/r/TOKEN/privacy"),
    "/r/{token}/after": (LINK, "/r/TOKEN/after"),
    "/r/{token}/{page}": (LINK, "/r/TOKEN/1"),
    "/r/{rest:path}": (LINK, "/r/TOKEN/media/x"),
    "/s/{rest:path}": (LINK, "/s/TOKEN/_stcore/stream"),
    "/withdraw": (ANYONE, "/withdraw"),
    "/_stcore/health": (PROVIDER, "/_stcore/health"),
    "/_stcore/host-config": (PROVIDER, "/_stcore/host-config"),
    "/_stcore/stream": (PROVIDER, "/_stcore/stream"),
    "/auth/login": (PROVIDER, "/auth/login"),
    "/auth/logout": (PROVIDER, "/auth/logout"),
    "/oauth2callback": (PROVIDER, "/oauth2callback"),
    "/_stcore/metrics": (STAFF, "/_stcore/metrics"),
    "/media/{file_id:path}": (STAFF, "/media/0123456789abcdef.csv"),
    "/_stcore/upload_file/{session_id}/{file_id}": (STAFF, "/_stcore/upload_file/one/two"),
    "/component/{path:path}": (STAFF, "/component/one/two.js"),
    "/_stcore/bidi-components/{path:path}": (STAFF, "/_stcore/bidi-components/one/two.js"),
    "/_stcore/agent/interact": (STAFF, "/_stcore/agent/interact"),
    "/_stcore/agent/openapi.json": (STAFF, "/_stcore/agent/openapi.json"),
    "/_stcore/agent/mcp": (STAFF, "/_stcore/agent/mcp"),
    "": (ANYONE, "/static/none.js"),
}
# Every page of the dashboard: the roles that open it.
PAGES = {
    "home": {"coordinator", "contributor", "reader"},
    "campaign": {"coordinator"},
    "answer": {"coordinator", "contributor"},
    "invite": {"coordinator"},
    "results": {"coordinator", "contributor", "reader", "researcher"},
    "showcase": {"coordinator", "contributor", "reader", "researcher"},
    "questionnaires": {"coordinator", "contributor", "reader", "researcher"},
    "method": {"coordinator", "contributor", "reader", "researcher"},
}
# Addresses that no route is meant for; unsigned visitors get no further than a page.
ODD = (
    "/static/../media/x", "/static/..%2fmedia/x", "//media/x", "/media//x", "/assets/../media/x", "/sign-in/x",
    "/healthy", "/MEDIA/x", "/index.html", "/manifest.json", "/unknown", "/results/x", "/r", "/s", "/withdrawn", "/withdraw/media/x",
    "/_stcore/script-health-check", "/_stcore/message", "/app/static/x", "/home/_stcore/upload_file/a/b",
)  # fmt: skip
PASSWORD = "quatre mots très simples"  # noqa: S105  # a test's
SECRET = "the secret of a test, long enough for all"  # noqa: S105  # likewise
ENUMERATE = """
import json
from streamlit.testing.v1 import AppTest
pages = AppTest.from_file("app.py", default_timeout=60).run().session_state["pages"]
from dashboard.server import application
from starlette.testclient import TestClient
app = application()
with TestClient(app):
    routes = [[one.path, sorted(getattr(one, "methods", None) or [])] for one in app._starlette_app.routes]
print(json.dumps({"routes": routes, "pages": list(pages)}))
"""


@dataclass
class Visitor:
    """Somebody who tries: what they carry, and whether staff sign-in, or the provider's, lets them in."""

    name: str
    headers: dict[str, str] = field(default_factory=dict)
    staff: bool = False
    vouched: bool = False


@dataclass
class House:
    """A running server, a link of a respondent on it, and everybody who tries."""

    server: Server
    link: str
    shared: str
    visitors: list[Visitor]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """Every route the application really has, with its methods, and every page of the script."""
    folder = tmp_path_factory.mktemp("routes")
    environment = {**os.environ, "POMEY_STORE": f"sqlite:///{folder / 'a.db'}"}
    done = subprocess.run(
        [sys.executable, "-c", ENUMERATE],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    listed: dict[str, list[Any]] = json.loads(done.stdout.splitlines()[-1])
    return listed


def cookie(claims: dict[str, Any], secret: str = SECRET) -> dict[str, str]:
    """The framework's cookie of somebody a provider vouched for."""
    told = json.dumps({"is_logged_in": True, "provider": "default", **claims})
    value = create_signed_value(secret, "_streamlit_user", told).decode()
    return {"cookie": f"_streamlit_user={value}"}


def open_house(folder: Path, **environment: str) -> House:
    """A server with an open campaign, a respondent's links, accounts and their sign-ins."""
    server = Server(folder, **environment)
    with Store.open(server.store) as store:
        campaign = an_open_campaign(store)
        invitations, accounts = Invitations(store), Accounts(store)
        link = invitations.personal(campaign.id, "patient", 1)[0].token
        shared = invitations.shared(campaign.id, "patient").token
        visitors = [
            Visitor("nobody"),
            Visitor("a forged sign-in", {"cookie": "pomey_sign_in=" + "x" * 43}),
            Visitor("an empty sign-in", {"cookie": "pomey_sign_in="}),
            Visitor("a respondent", {"cookie": f"pomey_sign_in={link}", "authorization": f"Bearer {link}"}),
        ]
        for role in ROLES:
            accounts.add(f"{role}@chu.be", "", PASSWORD)
            accounts.grant(f"{role}@chu.be", EVERYWHERE, role)
            token = accounts.sign_in(f"{role}@chu.be")
            visitors.append(Visitor(role, {"cookie": f"pomey_sign_in={token}"}, staff=True))
        for name in ("without a role", "disabled", "signed out"):
            id_ = name.replace(" ", "-")
            accounts.add(id_, "", PASSWORD)
            visitors.append(Visitor(name, {"cookie": f"pomey_sign_in={accounts.sign_in(id_)}"}))
            if name != "without a role":
                accounts.grant(id_, EVERYWHERE, "coordinator")
        accounts.sign_out(visitors[-1].headers["cookie"].partition("=")[2])
        accounts.disable("disabled")
    email = "reader@chu.be"
    visitors += [
        Visitor("vouched for", cookie({"email": email, "email_verified": True}), vouched=True),
        Visitor("vouched for by a forged cookie", cookie({"email": email}, "another secret")),
        Visitor("vouched for, unverified", cookie({"email": email, "email_verified": False})),
        Visitor("vouched for, without an account", cookie({"email": "stranger@chu.be"})),
        Visitor("vouched for, logged out", cookie({"email": email, "is_logged_in": False})),
        Visitor("vouched for, disabled", cookie({"email": "disabled"})),
    ]
    return House(server, link, shared, visitors)


def an_open_campaign(store: Store) -> Campaign:
    """A campaign that takes answers."""
    house = store.add_institution("CHU", id="chu")
    return store.add_campaign(house.id, load_library()["hospital"], title="2026", year=2026, id="first")


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house whose server asks for sign-in with its own accounts."""
    house = open_house(tmp_path_factory.mktemp("signed"), POMEY_SIGN_IN="required")
    with house.server:
        yield house


@pytest.fixture(scope="module")
def vouching(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house whose server also takes a provider's word."""
    folder = tmp_path_factory.mktemp("vouching")
    describe_provider(folder)
    house = open_house(folder, POMEY_SIGN_IN="required", HOME=str(folder), USERPROFILE=str(folder))
    with house.server:
        yield house


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house whose server serves this computer only."""
    house = open_house(tmp_path_factory.mktemp("alone"))
    with house.server:
        yield house


def describe_provider(folder: Path, **changes: str) -> None:
    """Describe a provider where the framework looks for secrets with this home; an empty change leaves a key out."""
    described = {
        "redirect_uri": "http://localhost/oauth2callback",
        "cookie_secret": SECRET,
        "client_id": "pomey",
        "client_secret": "of a test",
        "server_metadata_url": "http://localhost:1/none",
        **changes,
    }
    lines = [f'{key} = "{value}"' for key, value in described.items() if value]
    (folder / ".streamlit").mkdir(exist_ok=True)
    (folder / ".streamlit" / "secrets.toml").write_text("\n".join(["[auth]", *lines]), encoding="utf-8")


def ask(
    house: House, method: str, path: str, headers: dict[str, str], body: str = ""
) -> tuple[int, str, bytes]:
    """One request over a connection of its own: status, where it sends on to, body."""
    connection = http.client.HTTPConnection("127.0.0.1", house.server.port, timeout=20)
    sent = {"host": f"localhost:{house.server.port}", **headers}
    connection.request(method, path, body or None, sent)
    answer = connection.getresponse()
    told = answer.status, answer.getheader("location", ""), answer.read()
    connection.close()
    return told


def opens_stream(house: House, headers: dict[str, str]) -> bool:
    """Whether the framework's websocket lets somebody in."""
    try:
        with connect(f"ws://localhost:{house.server.port}/_stcore/stream", additional_headers=headers):
            return True
    except InvalidStatus:
        return False


def refused(status: int, location: str) -> bool:
    """Whether an answer keeps somebody out."""
    return status == 401 or location.startswith("/sign-in")


def reaches(house: House, visitor: Visitor, path: str, method: str) -> bool:
    """Whether a visitor gets past the entrance to a route."""
    if path == "/_stcore/stream":
        return opens_stream(house, visitor.headers)
    status, location, _ = ask(house, method, path, visitor.headers)
    return not refused(status, location)


def test_every_route_and_page_is_in_the_table(found: dict[str, list[Any]]) -> None:
    """The application has exactly the routes and pages listed here, so a new one must say who may reach it."""
    assert {path for path, _ in found["routes"]} == set(ROUTES)
    assert set(found["pages"]) == set(PAGES)
    assert set(access.PAGES) == set(PAGES)


@pytest.mark.parametrize("provider", [False, True], ids=["accounts", "provider"])
def test_each_route_opens_to_whom_the_table_says_and_to_nobody_else(
    request: pytest.FixtureRequest, found: dict[str, list[Any]], *, provider: bool
) -> None:
    """Every method of every route, tried by staff, strangers, forgers, and those who lost or never had a role."""
    house: House = request.getfixturevalue("vouching" if provider else "signed")
    wrong = []
    for route, methods in found["routes"]:
        who, path = ROUTES[route]
        path = path.replace("TOKEN", "unknown")
        for method in methods or ["GET"]:
            if route == "/sign-out" or (route == "/auth/logout" and provider):
                continue  # for anyone; but these end the sign-ins the others are tried with, or call the provider
            for visitor in house.visitors:
                inside = visitor.staff or (provider and visitor.vouched)
                may = who is ANYONE or inside or (provider and who == PROVIDER)
                # Signing in opens no link, and the links have their own refusals: the next test's.
                if who is not LINK and reaches(house, visitor, path, method) != may:
                    wrong.append((method, path, visitor.name, may))
    assert not wrong


@pytest.mark.parametrize("provider", [False, True], ids=["accounts", "provider"])
def test_each_page_sends_strangers_to_sign_in(request: pytest.FixtureRequest, *, provider: bool) -> None:
    """Without a provider strangers never get even the empty page; odd addresses are refused to them either way."""
    house: House = request.getfixturevalue("vouching" if provider else "signed")
    wrong = []
    for visitor in house.visitors:
        inside = visitor.staff or (provider and visitor.vouched)
        may = {page: reaches(house, visitor, f"/{page}?lang=nl", "GET") for page in ("", *PAGES)}
        wrong += [(page, visitor.name) for page, reached in may.items() if reached != (inside or provider)]
        odd = {path: ask(house, "GET", path, visitor.headers)[0] for path in ODD if not inside}
        wrong += [(path, visitor.name) for path, status in odd.items() if status not in {303, 400, 401, 404}]
    assert not wrong
    if not provider:
        _, location, _ = ask(house, "GET", "/results?lang=nl&campaign=x%26y", {})
        assert location == "/sign-in?next=%2Fresults%3Flang%3Dnl%26campaign%3Dx%2526y&lang=nl"


def test_the_pages_that_are_never_signed_in_to_carry_nothing(vouching: House) -> None:
    """What a stranger gets on the way to a provider is the framework's empty page, the same for every address."""
    told = {ask(vouching, "GET", f"/{page}?lang=fr", {})[2] for page in PAGES}
    assert len(told) == 1
    assert b"CHU" not in told.pop()


def test_a_link_opens_its_respondents_pages_and_nothing_else(signed: House) -> None:
    """A respondent's link opens their form; another token opens nothing; neither opens a page of the staff."""
    for prefix, token in (("r", signed.link), ("s", signed.shared)):
        assert ask(signed, "GET", f"/{prefix}/{token}", {})[0] == 200
        other = "s" if prefix == "r" else "r"
        for wrong in (f"/{other}/{token}", f"/{prefix}/{token[:-1]}", f"/{prefix}/{token}x", f"/{prefix}/"):
            assert ask(signed, "GET", wrong, {})[0] == 404, wrong
        for page in PAGES:
            assert ask(signed, "GET", f"/{page}?token={token}&respondent={token}", {})[0] == 303
            assert ask(signed, "GET", f"/{prefix}/{token}/../../{page}", {})[0] in {303, 400, 404}


def test_a_respondents_pages_open_to_their_link_alone(signed: House, found: dict[str, list[Any]]) -> None:
    """Every page below a link opens with that link, and without it to nobody: no staff, no stranger, no respondent."""
    below = {route: ROUTES[route][1] for route, _ in found["routes"] if ROUTES[route][0] is LINK}
    wrong = []
    for route, path in below.items():
        token = signed.shared if path.startswith("/s/") else signed.link
        status = ask(signed, "GET", path.replace("TOKEN", token), {})[0]
        expected = {404} if "{rest" in route or path.endswith("/answer") else {200, 303}
        if status not in expected:
            wrong.append(("GET", path, "the respondent", status))
    for route, methods in found["routes"]:
        for method in methods if route in below else ():
            path = below[route].replace("TOKEN", "unknown")
            for visitor in signed.visitors:
                status, _, body = ask(signed, method, path, visitor.headers)
                if status not in {400, 404, 429} or b"CHU" in body:
                    wrong.append((method, path, visitor.name, status))
    assert len(below) == 12
    assert not wrong


def test_guessing_links_is_stopped(alone: House) -> None:
    """After some links that open nothing an address must wait; staff pages are not the way round it."""
    seen = [ask(alone, "GET", f"/r/guess{n}", {})[0] for n in range(40)]
    assert seen[0] == 404
    assert seen[-1] == 429
    assert seen == sorted(seen)


def test_this_computer_alone_is_served_under_its_own_names(alone: House, found: dict[str, list[Any]]) -> None:
    """Without sign-in every route answers under localhost, and none but the health check under another name or proxy."""
    port = alone.server.port
    for host in (
        "localhost",
        "127.0.0.1",
        f"localhost:{port}",
        f"127.0.0.1:{port}",
        f"[::1]:{port}",
        "LOCALHOST",
    ):
        assert ask(alone, "GET", "/method", {"host": host})[0] == 200, host
        assert opens_stream(alone, {})
    strange = [
        {"host": "evil.example"},
        {"host": f"evil.example:{port}"},
        {"host": "localhost.evil.example"},
        {"host": "127.0.0.1.evil.example"},
        {"host": "10.0.0.1"},
        {"host": "localhost@evil.example"},
        {"host": "["},
        {"host": ""},
        {"x-forwarded-for": "203.0.113.9"},
        {"x-forwarded-for": "127.0.0.1"},
        {"forwarded": "for=203.0.113.9"},
        {"x-real-ip": "203.0.113.9"},
        {"x-forwarded-host": "pomey.chu.be"},
    ]
    for headers in strange:
        for route, methods in found["routes"]:
            path = ROUTES[route][1]
            if path not in {"/health", "/_stcore/stream"}:
                assert ask(alone, (methods or ["GET"])[0], path, headers)[0] in {400, 403}, (headers, path)
        if "host" not in headers:
            assert not opens_stream(alone, headers)
    status, _, body = ask(alone, "GET", "/", {"x-forwarded-for": "203.0.113.9", "accept-language": "en"})
    assert status == 403
    assert b"POMEY_SIGN_IN=required" in body
    assert ask(alone, "GET", "/health", {"host": "10.0.0.1"})[0] == 200
    assert ask(alone, "GET", "/sign-in?next=/method", {})[:2] == (303, "/method")


@pytest.mark.parametrize("name", ["alone", "signed", "vouching"])
def test_another_sites_page_gets_nothing_done(request: pytest.FixtureRequest, name: str) -> None:
    """A form or a websocket of another site is refused even with a sign-in that would open it."""
    house: House = request.getfixturevalue(name)
    own = next(one.headers for one in house.visitors if one.staff)
    port = house.server.port
    for headers in (
        {"origin": "http://evil.example"},
        {"origin": f"http://localhost:{port + 1}"},
        {"origin": "null"},
        {"origin": f"http://localhost:{port}", "sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ):
        for method, path in (
            ("POST", "/sign-in"),
            ("POST", "/sign-out"),
            ("PUT", "/_stcore/upload_file/a/b"),
        ):
            assert ask(house, method, path, {**own, **headers}, "id=a&password=b")[0] == 403, (headers, path)
        if "origin" in headers and "sec-fetch-site" not in headers:
            assert not opens_stream(house, {**own, **headers})
    assert opens_stream(house, {**own, "origin": f"http://localhost:{port}"})


def sign_in(house: House, id_: str, password: str, more: str = "", **headers: str) -> tuple[int, str, bytes]:
    """Fill in the sign-in page as a browser does."""
    from urllib.parse import urlencode  # noqa: PLC0415

    form = {"content-type": "application/x-www-form-urlencoded", **headers}
    return ask(house, "POST", f"/sign-in?lang=en{more}", form, urlencode({"id": id_, "password": password}))


def test_signing_in_goes_nowhere_else(signed: House) -> None:
    """After signing in one lands on an address of this server, whatever the link said."""
    for wanted, lands in (
        ("/results?lang=nl", "/results?lang=nl"),
        ("https://evil.example", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("\\\\evil.example", "/"),
        ("/a\nb", "/"),
        ("javascript:alert(1)", "/"),
        ("/sign-out", "/"),
        ("", "/"),
    ):
        from urllib.parse import quote  # noqa: PLC0415

        assert sign_in(signed, "reader@chu.be", PASSWORD, f"&next={quote(wanted)}")[:2] == (303, lands), (
            wanted
        )


def test_bad_forms_are_refused_in_words(signed: House) -> None:
    """Too long, empty, not UTF-8, markup in the id: a page that says so, nothing executed, nothing failing."""
    assert sign_in(signed, "x", "y" * 9000)[0] == 413
    assert ask(signed, "POST", "/sign-in", {}, "")[0] == 200
    assert ask(signed, "POST", "/sign-in", {}, "id=%ff%fe&password=%ff")[0] == 401
    status, _, body = sign_in(signed, '"><script>alert(1)</script>', "a wrong password")
    assert status == 401
    assert b"<script" not in body


def test_failures_are_forgotten_with_their_time() -> None:
    """Neither the names tried nor the addresses they were tried from stay in memory once their time is over."""

    def held() -> int:
        return sum("/tried/" in name for name in attempts.storage.events)

    attempts = Attempts()
    for n in range(60):
        attempts.count("1 per 2 seconds", "tried", str(n))
    assert held() == 60
    deadline = time.monotonic() + 20
    while held() > 1 and time.monotonic() < deadline:
        time.sleep(0.3)
        attempts.count("1 per 2 seconds", "tried", "last")
    assert held() == 1


def test_guessing_passwords_has_to_wait(vouching: House) -> None:
    """Five failures of one account, thirty of one address; each told when to try again; others may still sign in."""
    first = [sign_in(vouching, "coordinator@chu.be", "a wrong password")[0] for _ in range(6)]
    assert first == [401] * 5 + [429]
    assert sign_in(vouching, " COORDINATOR@chu.be", PASSWORD)[0] == 429
    assert sign_in(vouching, "contributor@chu.be", PASSWORD)[0] == 303
    rest = [sign_in(vouching, f"guess{n}", "a wrong password")[0] for n in range(26)]
    assert rest == [401] * 25 + [429]
    status, _, body = sign_in(vouching, "contributor@chu.be", PASSWORD)
    assert status == 429
    assert frame.words()("access-limited", "en", minutes=5).encode() in body
    # Another address, told by the web server in front on this machine, is counted apart.
    assert sign_in(vouching, "reader@chu.be", PASSWORD, **{"x-forwarded-for": "203.0.113.9"})[0] == 303


# Roles


@pytest.fixture
def store(page_store: Store) -> Store:
    """An empty store that the pages use."""
    return page_store


def be(monkeypatch: pytest.MonkeyPatch, permissions: dict[str, str]) -> None:
    """Run the script as somebody with these permissions."""
    somebody = access.Visitor(access.Person("a@chu.be", "A", permissions))
    monkeypatch.setattr(access, "visitor", lambda: somebody)


def drawn(page: str, campaign: str = "", **more: str) -> AppTest:
    """A page as the script draws it in English."""
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    test.query_params["lang"] = "en"
    for key, value in {"campaign": campaign, **more}.items():
        test.query_params[key] = value
    test.run()
    if page != "home":
        from streamlit.util import calc_hash  # noqa: PLC0415

        test._page_hash = calc_hash(page)
        test.run()
    assert not test.exception
    return test


def said(test: AppTest) -> str:
    """Everything a page says and lets choose."""
    texts = [*(one.proto.body for one in test.get("html")), *(one.value for one in test.markdown)]
    return "\n".join([*texts, *(option for one in test.selectbox for option in one.options)])


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("role", ROLES)
def test_each_page_is_drawn_for_the_roles_the_table_says(
    store: Store, monkeypatch: pytest.MonkeyPatch, page: str, role: str
) -> None:
    """The bar offers a page to its roles; the others get a sentence in its place, and nothing of it."""
    load_example(store)
    be(monkeypatch, {EVERYWHERE: role})
    test = drawn(page)
    assert set(test.session_state["pages"]) == {name for name, roles in PAGES.items() if role in roles}
    closed = frame.words()("access-closed", "en") in said(test)
    assert closed == (role not in PAGES[page] and page != "home")
    if closed:
        assert [
            button.key for button in test.button if not (button.key or "").startswith(("language-", "again"))
        ] == ["to-results"]


def test_somebody_sees_the_institutions_of_their_roles(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another institution's campaigns are not there: not in a list, not by their address."""
    mine = an_open_campaign(store)
    other = store.add_institution("Elsewhere", id="elsewhere")
    theirs = store.add_campaign(other.id, load_library()["hospital"], title="Theirs", year=2026)
    be(monkeypatch, {"chu": "coordinator"})
    assert [one.id for one in frame.campaigns()] == [mine.id]
    assert list(frame.institutions()) == ["chu"]
    for page in PAGES:
        assert "Elsewhere" not in said(drawn(page, theirs.id))
    be(monkeypatch, {EVERYWHERE: "coordinator"})
    assert "Elsewhere" in said(drawn("campaign", theirs.id))


def test_a_contributor_answers_only_where_they_are_one(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Being a contributor at one institution opens no form of another, and a role that is gone saves nothing more."""
    mine = an_open_campaign(store)
    other = store.add_institution("Elsewhere", id="elsewhere")
    theirs = store.add_campaign(other.id, load_library()["hospital"], title="Theirs", year=2026)
    be(monkeypatch, {"chu": "contributor", "elsewhere": "reader"})
    assert drawn("answer", theirs.id).session_state["campaign"] == mine.id
    be(monkeypatch, {EVERYWHERE: "contributor"})
    form = drawn("answer", theirs.id, role="quality", respondent="p-22222")
    first, second = form.radio[:2]
    first.set_value(first.options[0])
    form.run()
    assert len(store.answers([theirs.id])) == 1
    be(monkeypatch, {"chu": "contributor", "elsewhere": "reader"})
    second.set_value(second.options[0])
    form.run()
    assert len(store.answers([theirs.id])) == 1
    assert not form.exception


def test_a_researcher_sees_closed_campaigns_only(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """An open campaign is not there for a researcher; a closed one is."""
    campaign = an_open_campaign(store)
    store.save(Answer(campaign.id, "p", "quality", load_library()["hospital"].items[0].id, "dk"))
    be(monkeypatch, {EVERYWHERE: "researcher"})
    assert frame.campaigns() == []
    store.close_campaign(campaign.id)
    assert [one.id for one in frame.campaigns()] == [campaign.id]


def test_the_role_given_at_an_institution_counts_before_the_one_given_everywhere() -> None:
    """A reader everywhere may be coordinator of one; a coordinator everywhere may only read one; rights follow."""
    one = access.Person("a", "A", {EVERYWHERE: "reader", "chu": "coordinator"})
    assert one.may("manage", "chu")
    assert not one.may("manage", "other")
    assert one.may("see", "other")
    assert not access.Person("a", "A", {EVERYWHERE: "coordinator", "chu": "reader"}).may("manage", "chu")
    assert not access.Person("a", "A").may("see", "chu")
    assert not access.Person("a", "A", {"chu": "boss"}).may("see", "chu")
    assert access.LOCAL.may("comments", "any")
    assert access.LOCAL.id == ""


# Starting


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """No setting and no secret of this machine."""
    for name in ("POMEY_ADDRESS", "POMEY_SIGN_IN"):
        monkeypatch.delenv(name, raising=False)
    for home in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(home, str(tmp_path))
    return monkeypatch


def serve(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`pomey serve` in a child process, until it ends."""
    kept = {
        name: value for name, value in os.environ.items() if name not in {"POMEY_ADDRESS", "POMEY_SIGN_IN"}
    }
    said = {
        **kept,
        "HOME": str(folder),
        "USERPROFILE": str(folder),
        "POMEY_STORE": f"sqlite:///{folder / 'a.db'}",
    }
    return subprocess.run(
        [sys.executable, "-m", "dashboard.commands", "serve", "--port", "1", *words],
        cwd=ROOT, env=said | environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "environment", "named"),
    [
        (["--host", "0.0.0.0"], {}, "0.0.0.0"),  # noqa: S104  # what must be refused
        (["--host", "::"], {}, "::"),
        (["--host", "192.0.2.7"], {}, "192.0.2.7"),
        (["--host", "pomey.chu.be"], {}, "pomey.chu.be"),
        (["--sign-in"], {}, "127.0.0.1"),
        ([], {"POMEY_SIGN_IN": "required"}, "127.0.0.1"),
        ([], {"POMEY_ADDRESS": "https://pomey.chu.be"}, "127.0.0.1"),
    ],
)
def test_the_server_does_not_start_where_nobody_could_sign_in(
    tmp_path: Path, words: list[str], environment: dict[str, str], named: str
) -> None:
    """Beyond this computer, or told to ask, without an account or a provider: exit 1 and what to do, before listening."""
    done = serve(tmp_path, *words, **environment)
    assert done.returncode == 1
    assert named in done.stderr
    assert "pomey user add" in done.stderr
    assert "[auth]" in done.stderr
    assert "Traceback" not in done.stderr
    assert "not available" not in done.stderr  # the port nobody may have was never asked for


def test_what_is_needed_to_start_beyond_this_computer(clean: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An account with a password and a role, enabled; without one of these there is nobody to let in."""
    with Store.open(f"sqlite:///{tmp_path / 'a.db'}") as store:
        accounts = Accounts(store)

        def starts() -> bool:
            try:
                return access.decide("0.0.0.0", store).sign_in  # noqa: S104  # as a container does
            except Refused:
                return False

        accounts.add("anne")
        accounts.grant("anne", EVERYWHERE, "coordinator")
        accounts.add("bob", "", PASSWORD)
        assert not starts()
        accounts.grant("bob", EVERYWHERE, "reader")
        assert starts()
        accounts.disable("bob")
        assert not starts()
        accounts.enable("bob")
        assert access.decide("localhost", store) == access.Door()
        assert access.decide("127.0.0.2", store) == access.Door()
        assert access.decide("::1", store) == access.Door()
        clean.setenv("POMEY_ADDRESS", "http://localhost:8501/")
        assert access.decide("127.0.0.1", store) == access.Door(address="http://localhost:8501")
        clean.setenv("POMEY_ADDRESS", "https://pomey.chu.be/")
        door = access.decide("127.0.0.1", store)
        assert (door.sign_in, door.host, door.secure) == (True, "pomey.chu.be", True)
        assert access.address() == "https://pomey.chu.be"


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("POMEY_ADDRESS", "pomey.chu.be", "account-address"),
        ("POMEY_ADDRESS", "ftp://pomey.chu.be", "account-address"),
        ("POMEY_ADDRESS", "https://", "account-address"),
        ("POMEY_ADDRESS", "https://chu.be/pomey", "account-address"),
        ("POMEY_ADDRESS", "https://anne@chu.be", "account-address"),
        ("POMEY_ADDRESS", "https://chu.be:port", "account-address"),
        ("POMEY_ADDRESS", "https://[chu.be", "account-address"),
        ("POMEY_SIGN_IN", "no", "not-among"),
    ],
)
def test_a_setting_that_says_nothing_stops_the_start(
    clean: pytest.MonkeyPatch, store: Store, name: str, value: str, code: str
) -> None:
    """A setting that was misspelt must not leave the server open."""
    clean.setenv(name, value)
    with pytest.raises(Refused) as refused:
        access.decide("localhost", store)
    assert [problem.code for problem in refused.value.problems] == [code]
    assert refused.value.problems[0].place == name


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"client_secret": ""}, "account-auth-missing"),
        ({"redirect_uri": "", "cookie_secret": ""}, "account-auth-missing"),
        ({"cookie_secret": "guess me"}, "account-auth-secret"),
    ],
)
@pytest.mark.usefixtures("clean")
def test_a_provider_described_in_part_stops_the_start(
    store: Store, tmp_path: Path, changes: dict[str, str], code: str
) -> None:
    """What is missing of a provider is named; a short secret, which would let forgers in, is refused."""
    describe_provider(tmp_path, **changes)
    st.secrets._reset()
    try:
        with pytest.raises(Refused) as refused:
            access.decide("0.0.0.0", store)  # noqa: S104  # as a container does
        assert [problem.code for problem in refused.value.problems] == [code]
        for name in (key for key, value in changes.items() if not value):
            assert name in refused.value.text()
    finally:
        st.secrets._reset()


def test_the_script_alone_shows_nothing_to_others(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run without our server on an address others reach, or when sign-in is wanted, the script refuses every page."""
    load_example(store)
    monkeypatch.setattr(access, "_door", None)
    words = frame.words()

    def refuses() -> bool:
        test = drawn("home")
        shown = said(test)
        assert (words("access-unguarded", "en") in shown) == ("Hôpital" not in shown)
        return words("access-unguarded", "en") in shown

    assert not refuses()
    monkeypatch.setenv("POMEY_SIGN_IN", "required")
    assert refuses()
    monkeypatch.delenv("POMEY_SIGN_IN")
    for address in ("0.0.0.0", "", "192.0.2.7"):  # noqa: S104  # what must be refused
        monkeypatch.setattr(st, "get_option", {"server.address": address, "server.port": 8501}.get)
        assert refuses()


def test_over_https_every_cookie_stays_there(tmp_path: Path) -> None:
    """Behind https all cookies, the framework's too, are marked so, and only the announced name is answered."""
    house = open_house(tmp_path, POMEY_ADDRESS="https://pomey.chu.be")
    with house.server:
        own = {"host": "pomey.chu.be", "origin": "https://pomey.chu.be", "x-forwarded-for": "203.0.113.9"}
        connection = http.client.HTTPConnection("127.0.0.1", house.server.port, timeout=20)
        connection.request("POST", "/sign-in", "id=reader@chu.be&password=quatre+mots+tr%C3%A8s+simples", own)
        first = connection.getresponse()
        first.read()
        [kept] = first.headers.get_all("set-cookie")
        assert (first.status, kept.endswith("; Secure")) == (303, True)
        connection.request("GET", "/_stcore/health", headers={**own, "cookie": kept.split(";")[0]})
        second = connection.getresponse()
        assert second.status == 200
        cookies = second.headers.get_all("set-cookie")
        assert cookies
        assert all("; secure" in one.lower() for one in cookies)
        connection.close()
        for host in ("localhost", "evil.example", "", "pomey.chu.be.evil.example"):
            assert ask(house, "GET", "/sign-in", {"host": host})[0] in {400, 403}
        assert b"https://pomey.chu.be" in ask(house, "GET", "/", {"host": "old.chu.be"})[2]
        assert ask(house, "GET", "/sign-in", {"host": "POMEY.chu.be:443"})[0] == 200
