"""Signing in at the local issuer: an authorization code with PKCE (OpenID Connect), for a form that asks for a name."""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

_CODE_SECONDS: Final = 60
_SESSION: Final = "millrace_local_user"
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_NO_STORE: Final = {"Cache-Control": "no-store"}
_PASSED_ON: Final = ("client_id", "redirect_uri", "response_type", "scope", "state", "code_challenge", "nonce")

Grant = Callable[[str, str | None], dict[str, object]]
"""The token endpoint's answer for a subject, with the nonce its sign-in named."""


class BadRequest(Exception):
    """An error of RFC 6749, by its code; `description` says what would be right."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


@dataclass(frozen=True, slots=True)
class Code:
    """What an authorization code stands for, until it is used or `until` (Unix seconds)."""

    subject: str
    redirect_uri: str
    challenge: str
    nonce: str | None
    until: float


class SignIn:
    """The three endpoints, under `prefix`; whoever signs in is who they say, so it is for local use only."""

    def __init__(self, prefix: str, client_id: str, grant: Grant) -> None:
        self._prefix = prefix
        self._client_id = client_id
        self._grant = grant
        self._codes: dict[str, Code] = {}
        self._refreshes: dict[str, str] = {}

    def routes(self) -> list[Route]:
        return [
            Route(f"{self._prefix}/authorize", self._ask, methods=["GET"]),
            Route(f"{self._prefix}/authorize", self._answer, methods=["POST"]),
            Route(f"{self._prefix}/oauth2/token", self._tokens, methods=["POST"]),
            Route(f"{self._prefix}/logout", self._sign_out, methods=["GET"]),
        ]

    # ---- the authorization endpoint ------------------------------------------------------------------------------

    async def _ask(self, request: Request) -> Response:
        """The form; or straight back with a code, for a browser that has signed in before."""
        wish = dict(request.query_params)
        try:
            self._check(wish)
        except BadRequest as error:
            return _refuse(error)
        known = request.cookies.get(_SESSION)
        if known and wish.get("prompt") != "login":
            return self._back(wish, known)
        return HTMLResponse(_form(wish), headers=_NO_STORE)

    async def _answer(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
        subject = form.pop("subject", "").strip()
        try:
            self._check(form)
        except BadRequest as error:
            return _refuse(error)
        if not subject:
            return HTMLResponse(_form(form), 400, headers=_NO_STORE)
        return self._back(form, subject)

    def _check(self, wish: Mapping[str, str]) -> None:
        # Only this machine's own pages: a code must not be carried elsewhere, even from a stack that is for trying out.
        if urlsplit(wish.get("redirect_uri", "")).hostname not in _LOOPBACK:
            raise BadRequest("invalid_request", "redirect_uri has to be a page of this machine")
        if wish.get("client_id") != self._client_id:
            raise BadRequest("invalid_client", f"client_id has to be {self._client_id}")
        if wish.get("response_type") != "code":
            raise BadRequest("unsupported_response_type", "response_type has to be code")
        if wish.get("code_challenge_method", "S256") != "S256" or not wish.get("code_challenge"):
            raise BadRequest("invalid_request", "a code_challenge is needed, made by S256")

    def _back(self, wish: Mapping[str, str], subject: str) -> Response:
        code = secrets.token_urlsafe(24)
        until = time.time() + _CODE_SECONDS
        self._codes[code] = Code(subject, wish["redirect_uri"], wish["code_challenge"], wish.get("nonce"), until)
        query = urlencode({"code": code, **({"state": wish["state"]} if "state" in wish else {})})
        answer = RedirectResponse(f"{wish['redirect_uri']}?{query}", 303, headers=_NO_STORE)
        answer.set_cookie(_SESSION, subject, path=self._prefix, httponly=True, samesite="lax")
        return answer

    # ---- the token endpoint --------------------------------------------------------------------------------------

    async def _tokens(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        try:
            subject, nonce = self._granted(form)
        except BadRequest as error:
            return _refuse(error)
        refresh = secrets.token_urlsafe(24)
        self._refreshes[refresh] = subject
        return JSONResponse({**self._grant(subject, nonce), "refresh_token": refresh}, headers=_NO_STORE)

    def _granted(self, form: Mapping[str, str]) -> tuple[str, str | None]:
        """The subject and nonce that the form has a right to; a code or a refresh token counts once."""
        if form.get("client_id") != self._client_id:
            raise BadRequest("invalid_client", f"client_id has to be {self._client_id}")
        match form.get("grant_type"):
            case "refresh_token":
                subject = self._refreshes.pop(form.get("refresh_token", ""), None)
                if subject is None:
                    raise BadRequest("invalid_grant", "the refresh token is not known, or was used")
                return subject, None
            case "authorization_code":
                code = self._codes.pop(form.get("code", ""), None)
                if code is None or code.until < time.time():
                    raise BadRequest("invalid_grant", "the code is not known, was used, or is too old")
                if code.redirect_uri != form.get("redirect_uri"):
                    raise BadRequest("invalid_grant", "redirect_uri is not the one the code was made for")
                if not hmac.compare_digest(code.challenge, challenge_of(form.get("code_verifier", ""))):
                    raise BadRequest("invalid_grant", "code_verifier is not what code_challenge was made of")
                return code.subject, code.nonce
        raise BadRequest("unsupported_grant_type", "grant_type has to be authorization_code or refresh_token")

    # ---- the end -------------------------------------------------------------------------------------------------

    async def _sign_out(self, request: Request) -> Response:
        to = request.query_params.get("post_logout_redirect_uri", "")
        if urlsplit(to).hostname not in _LOOPBACK:
            return _refuse(BadRequest("invalid_request", "post_logout_redirect_uri has to be a page of this machine"))
        answer = RedirectResponse(to, 303, headers=_NO_STORE)
        answer.delete_cookie(_SESSION, path=self._prefix)
        return answer


def challenge_of(verifier: str) -> str:
    """RFC 7636's S256."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _refuse(error: BadRequest) -> Response:
    return JSONResponse({"error": error.code, "error_description": error.description}, 400, headers=_NO_STORE)


def _form(wish: Mapping[str, str]) -> str:
    kept = "".join(
        f'<input type="hidden" name="{name}" value="{html.escape(wish[name])}">' for name in _PASSED_ON if name in wish
    )
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>Sign in · Millrace, local</title>
<style>
  :root {{ color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }}
  body {{ display: grid; min-height: 100vh; margin: 0; place-items: center; }}
  main {{ width: min(22rem, 90vw); }}
  h1 {{ font-size: 1.4rem; }}
  label, input, button {{ display: block; width: 100%; box-sizing: border-box; font: inherit; }}
  input, button {{ margin: .4rem 0 1rem; padding: .6rem .8rem; border: 1px solid #8a8f98; border-radius: .4rem; }}
  button {{ border: 0; background: #0b5c72; color: #fff; font-weight: 600; cursor: pointer; }}
  p {{ opacity: .8; font-size: .9rem; }}
</style>
<main>
  <h1>Sign in to the local stack</h1>
  <form method="post">
    {kept}
    <label for="subject">Who are you?</label>
    <input id="subject" name="subject" value="alice" autocomplete="username" required maxlength="100" autofocus>
    <button>Sign in</button>
  </form>
  <p>Any name will do and no password is asked for: this issuer runs on this machine, for trying things out.</p>
</main>
</html>
"""
