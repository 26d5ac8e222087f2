"""TokenVerifier accepts only valid tokens, and gets the issuer's keys over HTTP."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import example, given
from hypothesis import strategies as st
from jwt.algorithms import RSAAlgorithm

from shared.errors import ErrorCode, TransientFault, Unauthenticated
from shared.web import auth
from shared.web.auth import TokenVerifier, discover_jwks_url

ISSUER = "https://issuer.example"
AUDIENCE = "millrace"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
FOREIGN = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class KeyServer(ThreadingHTTPServer):
    """Publishes the issuer's keys, and counts the requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.asked = 0


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, KeyServer)
        self.server.asked += 1
        key = {**json.loads(RSAAlgorithm.to_jwk(KEY.public_key())), "kid": "key-1", "use": "sig", "alg": "RS256"}
        documents: dict[str, Any] = {
            "/jwks.json": {"keys": [key]},
            "/.well-known/openid-configuration": {"jwks_uri": f"{self.server.url}/jwks.json"},
        }
        body = json.dumps(documents[self.path]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


@pytest.fixture(scope="module")
def keys() -> Iterator[KeyServer]:
    with KeyServer() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def verifier(keys: KeyServer) -> TokenVerifier:
    return TokenVerifier(ISSUER, AUDIENCE, jwks_url=lambda: f"{keys.url}/jwks.json")


def token(*, key: Any = KEY, algorithm: str = "RS256", kid: str | None = "key-1", **claims: Any) -> str:
    """Return a valid token with these changes; a token claim that is None is left out."""
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "user-1", "exp": int(time.time()) + 60, **claims}
    kept = {name: value for name, value in good.items() if value is not None}
    return jwt.encode(kept, key, algorithm=algorithm, headers={} if kid is None else {"kid": kid})


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"aud": ["elsewhere", AUDIENCE]},
        {"aud": None, "client_id": AUDIENCE},
    ],
)
def test_a_valid_token_names_its_user(verifier: TokenVerifier, claims: dict[str, Any]) -> None:
    assert verifier.subject_of(token(**claims)) == "user-1"


def test_the_verifier_accepts_a_token_that_expired_within_the_leeway(
    verifier: TokenVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    expired = token(exp=int(time.time()) - 60)
    with pytest.raises(Unauthenticated):
        verifier.subject_of(expired)
    monkeypatch.setattr(auth, "LEEWAY_SECONDS", 3600)
    assert verifier.subject_of(expired) == "user-1"


@pytest.mark.parametrize(
    "make",
    [
        lambda: token(exp=int(time.time()) - 60),
        lambda: token(exp=None),
        lambda: token(sub=None),
        lambda: token(nbf=int(time.time()) + 60),
        lambda: token(iss="https://elsewhere.example"),
        lambda: token(iss=None),
        lambda: token(aud="elsewhere"),
        lambda: token(aud=None),
        lambda: token(aud=[]),
        lambda: token(aud="elsewhere", client_id=AUDIENCE),
        lambda: token(aud=None, client_id="elsewhere"),
        lambda: token(key=FOREIGN),
        lambda: token(kid="key-2"),
        lambda: token(kid=None),
        lambda: token(key="k" * 32, algorithm="HS256"),
        lambda: token(key="", algorithm="none"),
        lambda: token()[:-3],
        lambda: "a.b.c",
        lambda: "",
    ],
)
def test_an_invalid_token_has_no_user(verifier: TokenVerifier, make: Callable[[], str]) -> None:
    with pytest.raises(Unauthenticated):
        verifier.subject_of(make())


def test_the_verifier_names_the_reason_of_a_refusal(verifier: TokenVerifier) -> None:
    with pytest.raises(Unauthenticated, match="has expired"):
        verifier.subject_of(token(exp=int(time.time()) - 60))
    with pytest.raises(Unauthenticated, match="another audience"):
        verifier.subject_of(token(aud="elsewhere"))


@given(st.text() | st.text("abcXYZ019-_.=").map(lambda text: f"{token().split('.')[0]}.{text}"))
@example("e30.e30.e30")
@example(".".join(["eyJhbGciOiJSUzI1NiIsImtpZCI6W119", "e30", "e30"]))  # a list as key id
def test_the_verifier_refuses_any_other_text(verifier: TokenVerifier, text: str) -> None:
    with pytest.raises(Unauthenticated):
        verifier.subject_of(text)


def test_the_verifier_fetches_the_keys_at_most_once_for_many_unknown_key_ids(
    keys: KeyServer, verifier: TokenVerifier
) -> None:
    verifier.subject_of(token())
    before = keys.asked

    for number in range(20):
        with pytest.raises(Unauthenticated):
            verifier.subject_of(token(kid=f"unknown-{number}"))

    assert keys.asked - before <= 1


def test_an_unreachable_issuer_is_a_transient_fault() -> None:
    def unreachable() -> str:
        raise ConnectionRefusedError

    for where in (unreachable, lambda: "http://127.0.0.1:1/jwks.json"):
        with pytest.raises(TransientFault) as fault:
            TokenVerifier(ISSUER, AUDIENCE, jwks_url=where).subject_of(token())
        assert fault.value.code is ErrorCode.IDENTITY_UNAVAILABLE
        assert fault.value.retryable


def test_discovery_returns_the_url_of_the_keys(keys: KeyServer) -> None:
    assert discover_jwks_url(keys.url) == discover_jwks_url(f"{keys.url}/") == f"{keys.url}/jwks.json"
