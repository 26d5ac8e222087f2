"""TokenVerifier accepts only valid tokens, and says why it refuses one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import example, given
from hypothesis import strategies as st

from shared.errors import Unauthenticated
from shared.identity import issuer_keys, tokens
from shared.identity.issuer_keys import IssuerKeys
from shared.identity.tokens import TokenVerifier
from tests.patience import PATIENCE

ISSUER = "https://issuer.example"
AUDIENCE = "millrace"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
FOREIGN = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module", autouse=True)
def _patient() -> Iterator[None]:
    """Let the thread that fetches the keys take as long as a busy machine needs."""
    with pytest.MonkeyPatch.context() as patching:
        patching.setattr(issuer_keys, "WAIT_SECONDS", PATIENCE)
        yield


@pytest.fixture(scope="module")
def verifier() -> TokenVerifier:
    keys = {"key-1": KEY.public_key()}
    return TokenVerifier(ISSUER, AUDIENCE, keys=IssuerKeys(lambda: keys, clock=lambda: 0.0))


def subject(verifier: TokenVerifier, token: str) -> str:
    return asyncio.run(verifier.subject_of(token))


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
    assert subject(verifier, token(**claims)) == "user-1"


def test_the_verifier_accepts_a_token_that_expired_within_the_leeway(
    verifier: TokenVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    expired = token(exp=int(time.time()) - 60)
    with pytest.raises(Unauthenticated):
        subject(verifier, expired)
    monkeypatch.setattr(tokens, "LEEWAY_SECONDS", 3600)
    assert subject(verifier, expired) == "user-1"


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
        subject(verifier, make())


def test_the_verifier_names_the_reason_of_a_refusal(verifier: TokenVerifier) -> None:
    with pytest.raises(Unauthenticated, match="has expired"):
        subject(verifier, token(exp=int(time.time()) - 60))
    with pytest.raises(Unauthenticated, match="another audience"):
        subject(verifier, token(aud="elsewhere"))


@given(st.text() | st.text("abcXYZ019-_.=").map(lambda text: f"{token().split('.')[0]}.{text}"))
@example("e30.e30.e30")
@example(".".join(["eyJhbGciOiJSUzI1NiIsImtpZCI6W119", "e30", "e30"]))  # a list as key id
def test_the_verifier_refuses_any_other_text(verifier: TokenVerifier, text: str) -> None:
    with pytest.raises(Unauthenticated):
        subject(verifier, text)


@pytest.mark.parametrize(("configured", "named"), [(ISSUER, f"{ISSUER}/"), (f"{ISSUER}/", ISSUER)])
def test_an_issuer_that_differs_by_its_slash_is_explained_in_the_log(
    configured: str, named: str, caplog: pytest.LogCaptureFixture
) -> None:
    keys = {"key-1": KEY.public_key()}
    verifier = TokenVerifier(configured, AUDIENCE, keys=IssuerKeys(lambda: keys))
    with pytest.raises(Unauthenticated, match="another issuer"):
        subject(verifier, token(iss=named))
    [line] = [vars(record) for record in caplog.records if record.message == "issuer differs"]
    assert (line["configured"], line["token"]) == (configured, named)
    assert "differ by the slash at the end only; set OidcIssuer exactly as it is in the iss" in line["hint"]
