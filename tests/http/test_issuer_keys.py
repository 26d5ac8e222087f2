"""The keys of an issuer over HTTP: what servers send instead of them, and where their URL is found."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from shared.errors import ErrorCode, TransientFault
from shared.identity import issuer_keys
from shared.identity.issuer_keys import IssuerKeys, KeysUnreadable, discover_jwks_url, fetch_keys
from shared.identity.tokens import TokenVerifier
from tests.serving import serving

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLISHED = {**json.loads(RSAAlgorithm.to_jwk(KEY.public_key())), "kid": "key-1", "use": "sig", "alg": "RS256"}
DISCOVERY = "/.well-known/openid-configuration"
JSON = {"content-type": "application/json"}
HTML = b"<!doctype html><title>Sign in</title>"


class KeyServer(ThreadingHTTPServer):
    """Sends the response of each path: a status, headers and a body. The issuer's own are those of an issuer."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.responses: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.reset()

    def reset(self) -> None:
        self.responses = {}
        self.sends(DISCOVERY, {"issuer": self.url, "jwks_uri": f"{self.url}/jwks.json"})
        self.sends("/jwks.json", {"keys": [PUBLISHED]})

    def sends(self, path: str, document: object, status: int = 200, **headers: str) -> None:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.responses[path] = (status, headers, body)


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, KeyServer)
        status, headers, body = self.server.responses[self.path]
        self.send_response(status)
        for name, value in {"content-length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[KeyServer]:
    with serving(KeyServer()) as server:
        yield server


@pytest.fixture
def issuer(server: KeyServer, monkeypatch: pytest.MonkeyPatch) -> KeyServer:
    monkeypatch.setattr(issuer_keys, "WAIT_SECONDS", 600.0)  # a busy machine needs longer than the product waits
    server.reset()
    return server


def test_the_keys_are_found_by_discovery_with_or_without_a_slash(issuer: KeyServer) -> None:
    for url in (issuer.url, f"{issuer.url}/"):
        assert discover_jwks_url(url) == f"{issuer.url}/jwks.json"
        assert list(fetch_keys(url)) == ["key-1"]
    assert list(fetch_keys("https://elsewhere.example", f"{issuer.url}/jwks.json")) == ["key-1"]


def test_an_issuer_that_is_configured_with_another_slash_is_explained_in_the_log(
    issuer: KeyServer, caplog: pytest.LogCaptureFixture
) -> None:
    discover_jwks_url(f"{issuer.url}/")
    [line] = [vars(record) for record in caplog.records if record.message == "issuer differs"]
    assert (line["configured"], line["discovered"]) == (f"{issuer.url}/", issuer.url)
    assert "differ by the slash at the end only" in line["hint"]


def test_keys_that_cannot_be_used_are_left_out(issuer: KeyServer) -> None:
    others: list[Any] = [
        "text",
        None,
        {},
        {"kty": "EC", "crv": "P-256", "kid": "ec", "x": "AA", "y": "AA"},
        {**PUBLISHED, "kid": None},
        {**PUBLISHED, "kid": "encryption", "use": "enc"},
        {**PUBLISHED, "kid": "other", "alg": "RS512"},
        {**PUBLISHED, "kid": "no-modulus", "n": ""},
        {**PUBLISHED, "kid": "broken", "n": "é"},
        {**PUBLISHED, "kid": "even", "e": "AA"},
        {"kty": "RSA", "kid": "half", "n": PUBLISHED["n"]},
    ]
    issuer.sends("/jwks.json", {"keys": [*others, PUBLISHED, *others]})
    assert list(fetch_keys(issuer.url)) == ["key-1"]


NONSENSE: dict[str, tuple[str, object, int, dict[str, str]]] = {
    "a page instead of the discovery document": (DISCOVERY, HTML, 200, {}),
    "an empty discovery document": (DISCOVERY, b"", 200, {}),
    "a list as the discovery document": (DISCOVERY, [], 200, {}),
    "no jwks_uri": (DISCOVERY, {"issuer": "x"}, 200, {}),
    "a jwks_uri of null": (DISCOVERY, {"jwks_uri": None}, 200, {}),
    "a jwks_uri without a host": (DISCOVERY, {"jwks_uri": "/jwks.json"}, 200, {}),
    "a jwks_uri that is a file": (DISCOVERY, {"jwks_uri": "file://localhost/etc/hostname"}, 200, {}),
    "a jwks_uri that cannot be one": (DISCOVERY, {"jwks_uri": "http://[::1/jwks"}, 200, {}),
    "no discovery document": (DISCOVERY, HTML, 404, {}),
    "a server error": ("/jwks.json", HTML, 500, {}),
    "a refusal": ("/jwks.json", {"error": "x"}, 403, {}),
    "a page instead of the keys": ("/jwks.json", HTML, 200, {}),
    "nothing instead of the keys": ("/jwks.json", b"", 200, {}),
    "bytes instead of the keys": ("/jwks.json", b"\xff\xfe\x00", 200, {}),
    "half of the keys": ("/jwks.json", b'{"keys": [', 200, {}),
    "less than was announced": ("/jwks.json", b'{"keys": []}', 200, {"content-length": "100"}),
    "deeply nested lists": ("/jwks.json", b"[" * 100_000, 200, {}),
    "no list of keys": ("/jwks.json", {"keys": {}}, 200, {}),
    "no keys": ("/jwks.json", {"keys": []}, 200, {}),
    "broken keys only": ("/jwks.json", {"keys": [{**PUBLISHED, "n": "é"}]}, 200, {}),
    "a huge document": ("/jwks.json", b" " * 300_000 + b'{"keys": []}', 200, {}),
    "a redirect to itself": ("/jwks.json", b"", 302, {"location": "/jwks.json"}),
    "a redirect to nowhere": ("/jwks.json", b"", 302, {}),
    "a redirect to a file": ("/jwks.json", b"", 302, {"location": "file:///etc/hostname"}),
    "a redirect to another scheme": ("/jwks.json", b"", 302, {"location": "ftp://127.0.0.1/jwks.json"}),
}


@pytest.mark.parametrize("nonsense", NONSENSE)
def test_an_issuer_that_sends_nonsense_is_unavailable(
    issuer: KeyServer, nonsense: str, caplog: pytest.LogCaptureFixture
) -> None:
    path, document, status, headers = NONSENSE[nonsense]
    issuer.sends(path, document, status, **headers)
    verifier = TokenVerifier(issuer.url, "millrace", keys=IssuerKeys(lambda: fetch_keys(issuer.url)))
    token = jwt.encode({"iss": issuer.url}, KEY, algorithm="RS256", headers={"kid": "key-1"})
    with pytest.raises(TransientFault) as fault:
        asyncio.run(verifier.subject_of(token))
    assert fault.value.code is ErrorCode.IDENTITY_UNAVAILABLE
    assert fault.value.retry_after
    [line] = [vars(record) for record in caplog.records if record.message == "identity provider unavailable"]
    assert line["levelname"] == "WARNING", "it is no defect"
    assert line["reason"], "an operator reads why"


def test_an_issuer_that_sends_its_keys_byte_by_byte_is_not_read_to_the_end(
    issuer: KeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = itertools.count(step=issuer_keys.WAIT_SECONDS / 2)
    monkeypatch.setattr(issuer_keys, "time", SimpleNamespace(monotonic=lambda: next(times)))
    issuer.sends("/jwks.json", b" " * 200_000 + json.dumps({"keys": [PUBLISHED]}).encode())
    with pytest.raises(KeysUnreadable, match="was not read within"):
        fetch_keys(issuer.url, f"{issuer.url}/jwks.json")


def test_a_redirect_is_followed(issuer: KeyServer) -> None:
    issuer.sends("/old.json", b"", 301, location="/jwks.json")
    assert list(fetch_keys(issuer.url, f"{issuer.url}/old.json")) == ["key-1"]


def test_an_issuer_out_of_reach_is_unavailable() -> None:
    with pytest.raises((KeysUnreadable, OSError)):
        fetch_keys("http://127.0.0.1:1")
