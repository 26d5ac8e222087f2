"""Every route accepts only a token of the configured issuer for the configured audience."""

from __future__ import annotations

import time
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from local.stack import AUDIENCE, LocalStack
from tests.api_user import ApiUser, refusal

JOB = "job_01jd8x2v5n7k3q9w4t6y8z0abc"
AGENT = "agt_01jd8x2v5n7k3q9w4t6y8z0abc"
ROUTES = [
    ("POST", "/jobs"),
    ("GET", "/jobs"),
    ("GET", f"/jobs/{JOB}"),
    ("POST", f"/jobs/{JOB}/cancel"),
    ("POST", f"/jobs/{JOB}/resume"),
    ("POST", f"/jobs/{JOB}/stream-tickets"),
    ("GET", f"/jobs/{JOB}/stream"),
    ("POST", "/agents"),
    ("GET", "/agents"),
    ("GET", f"/agents/{AGENT}"),
    ("PATCH", f"/agents/{AGENT}"),
    ("DELETE", f"/agents/{AGENT}"),
]


def foreign_key(stack: LocalStack) -> str:
    """Return a token with valid claims and a known key id, but with the signature of another key."""
    (published,) = httpx.get(f"{stack.issuer_url}/.well-known/jwks.json", trust_env=False).json()["keys"]
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return jwt.encode(claims(stack), key, algorithm="RS256", headers={"kid": published["kid"]})


def unsigned(stack: LocalStack) -> str:
    return jwt.encode(claims(stack), "", algorithm="none")


def signed_with_the_public_key(stack: LocalStack) -> str:
    """Return a token that is signed with HS256, with the public key as the secret."""
    (published,) = httpx.get(f"{stack.issuer_url}/.well-known/jwks.json", trust_env=False).json()["keys"]
    return jwt.encode(claims(stack), published["n"], algorithm="HS256", headers={"kid": published["kid"]})


def claims(stack: LocalStack) -> dict[str, Any]:
    return {"iss": stack.issuer_url, "aud": AUDIENCE, "sub": "user", "exp": int(time.time()) + 60}


@pytest.fixture(scope="module")
def credentials(stack: LocalStack) -> dict[str, str | None]:
    """Invalid credentials by the reason."""
    return {
        "nothing": None,
        "no token behind the word": "Bearer",
        "garbage": "Bearer garbage",
        "three dots of garbage": "Bearer a.b.c",
        "letters beyond ASCII": "Bearer \xe9\xe8.\xe9.\xe8",
        "another scheme": "Basic dXNlcjpwYXNz",
        "an expired token": f"Bearer {stack.token('user', expires_in=-60)}",
        "a token not valid yet": f"Bearer {stack.token('user', nbf=int(time.time()) + 600)}",
        "another issuer's token": f"Bearer {stack.token('user', iss='https://elsewhere.example')}",
        "a token for another audience": f"Bearer {stack.token('user', aud='elsewhere')}",
        "a token for nobody": f"Bearer {stack.token('user', aud=None)}",
        "a token without expiry": f"Bearer {stack.token('user', exp=None)}",
        "a forged signature": f"Bearer {foreign_key(stack)}",
        "no signature": f"Bearer {unsigned(stack)}",
        "a signature with the public key": f"Bearer {signed_with_the_public_key(stack)}",
    }


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_route_refuses_a_client_without_a_valid_token(
    stack: LocalStack, credentials: dict[str, str | None], method: str, path: str
) -> None:
    origin = stack.stream_url if path.endswith("/stream") else stack.api_url
    with httpx.Client(base_url=origin, trust_env=False) as client:
        for why, credential in credentials.items():
            headers = {} if credential is None else {b"Authorization": credential.encode("latin-1")}

            response = client.request(method, path, headers=headers)

            assert response.status_code == 401, f"{why}: {response.text}"
            refusal(response, 401, "UNAUTHENTICATED")
            assert response.headers["www-authenticate"].startswith("Bearer")


def test_the_api_accepts_a_client_id_as_the_audience(stack: LocalStack, user: ApiUser) -> None:
    token = stack.token(user.name, aud=None, client_id=AUDIENCE)
    headers = {"Authorization": f"Bearer {token}"}
    job_id = user.new_job()
    user.ended(job_id)

    assert user.api.get("/jobs", headers=headers).status_code == 200
    assert user.streams.get(f"/jobs/{job_id}/stream", headers=headers).status_code == 200


def test_the_api_checks_the_token_before_the_body(stack: LocalStack) -> None:
    response = httpx.get(f"{stack.stream_url}/jobs/{JOB}/stream", headers={"Last-Event-ID": "x"}, trust_env=False)

    refusal(response, 401, "UNAUTHENTICATED")
