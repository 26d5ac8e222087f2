"""Which requests a local port answers: those that no web page of another origin can have sent."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from local.asgi_server import GuardMiddleware
from local.web_guard import WebGuard, is_origin, is_page_of, origins_of_port

OURS = "http://127.0.0.1:8000"
EVIL = "https://evil.example"
PAGES = WebGuard(8000, frozenset({OURS}), opens=True, programs_only=("/_control/",))
PROGRAMS = WebGuard(8000)
OBJECTS = WebGuard(8000, frozenset({OURS}), pages_at=("/bucket/",))
LINK = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


def refusal(guard: WebGuard, headers: dict[str, str], *, path: str = "/", method: str = "GET") -> str | None:
    return guard.refusal(method, path, lambda name: {"host": "127.0.0.1:8000", **headers}.get(name, ""))


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "LOCALHOST:8000", "[::1]:8000"])
def test_a_program_on_this_machine_is_answered(host: str) -> None:
    assert refusal(PROGRAMS, {"host": host}) is None
    assert refusal(PAGES, {"host": host}, path="/_control/x", method="POST") is None


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "evil.example:8000", "127.0.0.1", "127.0.0.1:81", "127.0.0.1:8000,evil", "127.0.0.1:8000/x?"],
)
def test_a_host_that_is_not_this_port_is_refused(host: str) -> None:
    for guard in (PROGRAMS, PAGES):
        assert "127.0.0.1:8000" in str(refusal(guard, {"host": host}))


def test_port_80_may_be_left_out() -> None:
    assert refusal(WebGuard(80), {"host": "localhost"}) is None
    assert refusal(WebGuard(80), {"host": "localhost:80"}) is None


@pytest.mark.parametrize("origin", [EVIL, "null", "http://127.0.0.1:8001", "https://127.0.0.1:8000", f"{OURS}/"])
def test_an_origin_that_was_not_named_is_refused(origin: str) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        assert "--origin" in str(refusal(PAGES, {"origin": origin}, method=method))


def test_a_named_origin_is_answered_but_not_by_a_port_for_programs() -> None:
    assert refusal(PAGES, {"origin": OURS, "sec-fetch-site": "same-site"}) is None
    assert refusal(PROGRAMS, {"origin": OURS}) is not None


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_page_of_another_origin_may_link_to_a_page_but_load_nothing(site: str) -> None:
    link = {**LINK, "sec-fetch-site": site}
    assert refusal(PAGES, link) is None
    assert refusal(PAGES, link, method="POST") is not None
    assert refusal(PAGES, {**link, "sec-fetch-dest": "iframe"}) is not None
    assert refusal(PAGES, {**link, "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}) is not None
    assert refusal(PROGRAMS, link) is not None, "a request of AWS may be a GET"


@pytest.mark.parametrize("headers", [{"origin": OURS}, {"sec-fetch-site": "same-origin"}, LINK])
def test_no_page_uses_a_path_for_programs(headers: dict[str, str]) -> None:
    assert refusal(PAGES, headers, path="/_control/abandon") == "this path is for programs, not for web pages"


def test_a_person_may_open_any_address_by_hand() -> None:
    by_hand = {**LINK, "sec-fetch-site": "none"}
    assert refusal(PROGRAMS, by_hand) is None
    assert refusal(PAGES, by_hand, path="/_control/processes") is None


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"{OURS}/", True),
        (f"{OURS}/console/signed-in", True),
        (OURS, False),
        (f"{OURS}/?next=x", False),
        (f"{OURS}/#x", False),
        (f"{OURS}.evil.example/", False),
        (f"{OURS}@evil.example/", False),
        ("http://evil.example\\@127.0.0.1:8000/", False),
        ("http://evil.example/http://127.0.0.1:8000/", False),
        (f"{OURS}/\\evil.example", False),
        (f"{OURS}/x\r\nset-cookie: a=b", False),
        (f"{OURS}/x\n", False),
        ("", False),
    ],
)
def test_a_redirect_leads_only_to_a_page_of_a_named_origin(url: str, expected: bool) -> None:
    assert is_page_of(url, [OURS]) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://localhost:5173", True),
        ("https://app.example", True),
        ("http://[::1]:1", True),
        ("*", False),
        ("null", False),
        ("http://localhost:5173/", False),
        ("http://LOCALHOST", False),
        ("ftp://localhost", False),
        ("http://a,http://b", False),
    ],
)
def test_an_origin_is_written_as_browsers_write_it(text: str, expected: bool) -> None:
    assert is_origin(text) is expected


def test_our_pages_may_send_and_get_objects_and_nothing_else() -> None:
    upload = {"origin": OURS, "sec-fetch-site": "same-site"}
    link = {**LINK, "sec-fetch-site": "same-site"}

    assert refusal(OBJECTS, upload, path="/bucket/file", method="PUT") is None
    assert refusal(OBJECTS, link, path="/bucket/file") is None
    for headers, path, method in [
        (upload, "/", "POST"),
        (upload, "/bucket", "GET"),
        (link, "/other/file", "GET"),
        ({"sec-fetch-site": "same-site"}, "/bucket/file", "GET"),
        (LINK, "/bucket/file", "GET"),
        ({"origin": EVIL}, "/bucket/file", "PUT"),
        ({"origin": "null"}, "/bucket/file", "OPTIONS"),
    ]:
        assert refusal(OBJECTS, headers, path=path, method=method) is not None, (headers, path)
    assert refusal(OBJECTS, {}, path="/", method="POST") is None


def test_the_console_may_be_opened_at_each_name_of_this_machine() -> None:
    assert origins_of_port(8000) == (OURS, "http://localhost:8000", "http://[::1]:8000")


async def _unreachable(*_: Any) -> Any:
    raise AssertionError("the guard must not let it pass")


@pytest.mark.parametrize(
    ("scope", "first"),
    [
        ({"type": "http", "method": "GET"}, {"type": "http.response.start", "status": 403}),
        ({"type": "websocket"}, {"type": "websocket.close", "code": 1008}),
    ],
    ids=lambda value: value["type"],
)
def test_an_application_receives_neither_a_request_nor_a_socket_that_is_refused(
    scope: dict[str, Any], first: dict[str, Any]
) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"host", b"127.0.0.1:8000"), (b"origin", EVIL.encode())]
    guarded = GuardMiddleware(_unreachable, PAGES)
    asyncio.run(guarded({**scope, "path": "/", "headers": headers}, _unreachable, send))

    assert sent[0].items() >= first.items()
    assert not any(name.startswith(b"access-control") for name, _ in sent[0].get("headers", ()))
