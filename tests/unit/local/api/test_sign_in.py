"""The local issuer as an OpenID provider: authorization code with PKCE, refresh, sign-out."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from starlette.testclient import TestClient

from local.api.issuer import PREFIX, Issuer
from local.api.sign_in import challenge_of

ISSUER = Issuer(f"http://127.0.0.1{PREFIX}", "millrace-local")
BACK = "http://127.0.0.1:8080/console/signed-in"
VERIFIER = "a verifier of the page's own making, long enough"
WISH = {
    "client_id": "millrace-local",
    "redirect_uri": BACK,
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
    return browser.post(f"{PREFIX}/authorize", data={**WISH, "subject": "alice", **changes})


def code_of(answer: Any) -> str:
    assert answer.status_code == 303, answer.text
    return str(parse_qs(urlsplit(answer.headers["location"]).query)["code"][0])


def redeem(browser: TestClient, code: str, **changes: str) -> Any:
    form = {"grant_type": "authorization_code", "client_id": "millrace-local", "code": code}
    return browser.post(
        f"{PREFIX}/oauth2/token", data={**form, "redirect_uri": BACK, "code_verifier": VERIFIER, **changes}
    )


def test_whoever_names_themselves_comes_back_with_a_code_that_is_worth_their_token(browser: TestClient) -> None:
    form = browser.get(f"{PREFIX}/authorize", params=WISH)
    assert 'name="subject"' in form.text
    assert 'value="state-1"' in form.text

    back = sign_in(browser)

    assert back.headers["location"].startswith(f"{BACK}?")
    assert parse_qs(urlsplit(back.headers["location"]).query)["state"] == ["state-1"]
    tokens = redeem(browser, code_of(back)).json()
    for name in ("access_token", "id_token"):
        claims = jwt.decode(tokens[name], ISSUER.public_key, ["RS256"], audience=ISSUER.audience, issuer=ISSUER.url)
        assert claims["sub"] == "alice"
    assert claims["nonce"] == "nonce-1"


def test_a_code_counts_once_and_only_for_the_page_it_was_made_for(browser: TestClient) -> None:
    code = code_of(sign_in(browser))
    assert redeem(browser, code, code_verifier="guessed").json()["error"] == "invalid_grant"
    assert redeem(browser, code).json()["error"] == "invalid_grant", "a failed attempt uses the code up"

    other_page = redeem(browser, code_of(sign_in(browser)), redirect_uri="http://127.0.0.1:1/")
    assert other_page.json()["error"] == "invalid_grant"


def test_a_refresh_token_is_worth_another_token_and_counts_once(browser: TestClient) -> None:
    refresh = redeem(browser, code_of(sign_in(browser))).json()["refresh_token"]
    form = {"grant_type": "refresh_token", "client_id": "millrace-local", "refresh_token": refresh}

    again = browser.post(f"{PREFIX}/oauth2/token", data=form)

    assert jwt.decode(again.json()["access_token"], options={"verify_signature": False})["sub"] == "alice"
    assert browser.post(f"{PREFIX}/oauth2/token", data=form).json()["error"] == "invalid_grant"


def test_a_browser_that_has_signed_in_is_not_asked_again_until_it_signs_out(browser: TestClient) -> None:
    sign_in(browser)
    assert code_of(browser.get(f"{PREFIX}/authorize", params=WISH))
    assert browser.get(f"{PREFIX}/authorize", params={**WISH, "prompt": "login"}).status_code == 200

    out = browser.get(f"{PREFIX}/logout", params={"post_logout_redirect_uri": "http://127.0.0.1:8080/"})

    assert out.headers["location"] == "http://127.0.0.1:8080/"
    assert browser.get(f"{PREFIX}/authorize", params=WISH).status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        {"redirect_uri": "https://elsewhere.example/"},
        {"redirect_uri": "//elsewhere.example/"},
        {"client_id": "another"},
        {"response_type": "token"},
        {"code_challenge": ""},
        {"code_challenge_method": "plain"},
    ],
    ids=lambda change: " ".join(change.values()) or "no challenge",
)
def test_a_wish_that_is_not_safe_is_refused_and_sent_nowhere(browser: TestClient, change: dict[str, str]) -> None:
    for answer in (browser.get(f"{PREFIX}/authorize", params={**WISH, **change}), sign_in(browser, **change)):
        assert answer.status_code == 400
        assert answer.json()["error_description"]
        assert "location" not in answer.headers


def test_a_name_is_needed_and_what_was_asked_is_shown_as_text(browser: TestClient) -> None:
    assert sign_in(browser, subject=" ").status_code == 400

    form = browser.get(f"{PREFIX}/authorize", params={**WISH, "state": '"><script>'})

    assert "<script>" not in form.text


def test_sign_out_leads_to_pages_of_this_machine_only(browser: TestClient) -> None:
    answer = browser.get(f"{PREFIX}/logout", params={"post_logout_redirect_uri": "https://elsewhere.example/"})

    assert answer.status_code == 400


def test_pages_of_another_origin_may_read_the_answers(browser: TestClient) -> None:
    answer = browser.get(f"{PREFIX}/.well-known/openid-configuration", headers={"Origin": "http://localhost:1"})

    assert answer.headers["access-control-allow-origin"] == "*"
