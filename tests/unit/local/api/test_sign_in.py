"""The local issuer as an OpenID provider: authorization code with PKCE, refresh, sign-out."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from starlette.testclient import TestClient

from local.api.issuer import PREFIX, Issuer
from local.api.sign_in import challenge_of

ORIGIN = "http://127.0.0.1:8080"
ISSUER = Issuer(f"http://127.0.0.1{PREFIX}", "millrace-local", origins=[ORIGIN])
REDIRECT = f"{ORIGIN}/console/signed-in"
VERIFIER = "a verifier that the page made, which is long enough"
AUTHORIZATION = {
    "client_id": "millrace-local",
    "redirect_uri": REDIRECT,
    "response_type": "code",
    "scope": "openid",
    "state": "state-1",
    "nonce": "nonce-1",
    "code_challenge": challenge_of(VERIFIER),
    "code_challenge_method": "S256",
}


@pytest.fixture
def browser() -> TestClient:
    return TestClient(ISSUER.application(), base_url="http://127.0.0.1", follow_redirects=False)


def sign_in(browser: TestClient, **changes: str) -> Any:
    return browser.post(f"{PREFIX}/authorize", data={**AUTHORIZATION, "subject": "alice", **changes})


def code_of(response: Any) -> str:
    assert response.status_code == 303, response.text
    return str(parse_qs(urlsplit(response.headers["location"]).query)["code"][0])


def redeem(browser: TestClient, code: str, **changes: str) -> Any:
    form = {"grant_type": "authorization_code", "client_id": "millrace-local", "code": code}
    return browser.post(
        f"{PREFIX}/oauth2/token", data={**form, "redirect_uri": REDIRECT, "code_verifier": VERIFIER, **changes}
    )


def test_a_user_who_gives_a_name_gets_a_code_and_the_client_exchanges_it_for_tokens(browser: TestClient) -> None:
    form = browser.get(f"{PREFIX}/authorize", params=AUTHORIZATION)
    assert 'name="subject"' in form.text
    assert 'value="state-1"' in form.text

    back = sign_in(browser)

    assert back.headers["location"].startswith(f"{REDIRECT}?")
    assert parse_qs(urlsplit(back.headers["location"]).query)["state"] == ["state-1"]
    tokens = redeem(browser, code_of(back)).json()
    for name in ("access_token", "id_token"):
        claims = jwt.decode(tokens[name], ISSUER.public_key, ["RS256"], audience=ISSUER.audience, issuer=ISSUER.url)
        assert claims["sub"] == "alice"
    assert claims["nonce"] == "nonce-1"


def test_a_code_is_valid_once_and_only_for_its_page(browser: TestClient) -> None:
    code = code_of(sign_in(browser))
    assert redeem(browser, code, code_verifier="guessed").json()["error"] == "invalid_grant"
    assert redeem(browser, code).json()["error"] == "invalid_grant", "a failed attempt uses the code up"

    other_page = redeem(browser, code_of(sign_in(browser)), redirect_uri="http://127.0.0.1:1/")
    assert other_page.json()["error"] == "invalid_grant"


def test_a_refresh_token_gives_a_new_token_once(browser: TestClient) -> None:
    refresh = redeem(browser, code_of(sign_in(browser))).json()["refresh_token"]
    form = {"grant_type": "refresh_token", "client_id": "millrace-local", "refresh_token": refresh}

    again = browser.post(f"{PREFIX}/oauth2/token", data=form)

    assert jwt.decode(again.json()["access_token"], options={"verify_signature": False})["sub"] == "alice"
    assert browser.post(f"{PREFIX}/oauth2/token", data=form).json()["error"] == "invalid_grant"


def test_a_signed_in_browser_gets_a_code_without_the_form_until_it_signs_out(browser: TestClient) -> None:
    sign_in(browser)
    assert code_of(browser.get(f"{PREFIX}/authorize", params=AUTHORIZATION))
    assert browser.get(f"{PREFIX}/authorize", params={**AUTHORIZATION, "prompt": "login"}).status_code == 200

    out = browser.get(f"{PREFIX}/logout", params={"post_logout_redirect_uri": "http://127.0.0.1:8080/"})

    assert out.headers["location"] == "http://127.0.0.1:8080/"
    assert browser.get(f"{PREFIX}/authorize", params=AUTHORIZATION).status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        {"redirect_uri": "https://elsewhere.example/"},
        {"redirect_uri": "//elsewhere.example/"},
        {"redirect_uri": "http://127.0.0.1:9090/"},
        {"redirect_uri": "http://elsewhere.example\\@127.0.0.1:8080/"},
        {"client_id": "another"},
        {"response_type": "token"},
        {"code_challenge": ""},
        {"code_challenge_method": "plain"},
    ],
    ids=lambda change: " ".join(change.values()) or "no challenge",
)
def test_an_unsafe_authorization_request_is_refused_without_a_redirect(
    browser: TestClient, change: dict[str, str]
) -> None:
    for response in (
        browser.get(f"{PREFIX}/authorize", params={**AUTHORIZATION, **change}),
        sign_in(browser, **change),
    ):
        assert response.status_code == 400
        assert response.json()["error_description"]
        assert "location" not in response.headers


def test_a_name_is_required_and_the_form_escapes_the_request(browser: TestClient) -> None:
    assert sign_in(browser, subject=" ").status_code == 400

    form = browser.get(f"{PREFIX}/authorize", params={**AUTHORIZATION, "state": '"><script>'})

    assert "<script>" not in form.text


def test_no_page_may_frame_the_form(browser: TestClient) -> None:
    for form in (browser.get(f"{PREFIX}/authorize", params=AUTHORIZATION), sign_in(browser, subject=" ")):
        assert "frame-ancestors 'none'" in form.headers["content-security-policy"]
        assert form.headers["x-frame-options"] == "DENY"
        assert form.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("to", ["https://elsewhere.example/", "http://127.0.0.1:9090/", "http://x\\@127.0.0.1:8080/"])
def test_sign_out_redirects_only_to_pages_that_may_sign_in(browser: TestClient, to: str) -> None:
    response = browser.get(f"{PREFIX}/logout", params={"post_logout_redirect_uri": to})

    assert response.status_code == 400


def test_only_pages_that_may_sign_in_read_the_responses(browser: TestClient) -> None:
    for origin, allowed in ((ORIGIN, ORIGIN), ("http://localhost:1", None)):
        response = browser.get(f"{PREFIX}/.well-known/openid-configuration", headers={"Origin": origin})

        assert response.headers.get("access-control-allow-origin") == allowed
