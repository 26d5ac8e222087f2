"""Sign-in at the local issuer: an authorization code with PKCE (OpenID Connect), after a form that asks for a name."""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from local.web_guard import is_page_of

_CODE_SECONDS: Final = 60
_SESSION: Final = "millrace_local_user"
_NO_STORE: Final = {"Cache-Control": "no-store"}
# The form is ours alone: no page may frame it, and nothing in it runs.
_PAGE: Final = {
    **_NO_STORE,
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
}
_HIDDEN_FIELDS: Final = ("client_id", "redirect_uri", "response_type", "scope", "state", "code_challenge", "nonce")

Grant = Callable[[str, str | None], dict[str, object]]
"""Returns the token response for a subject, with the nonce of its sign-in."""


class BadRequest(Exception):
    """An error of RFC 6749, with its code and a description."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


@dataclass(frozen=True, slots=True)
class Code:
    """The request of an authorization code, valid for one use and until `until` (Unix seconds)."""

    subject: str
    redirect_uri: str
    challenge: str
    nonce: str | None
    until: float


class SignIn:
    """The endpoints under `prefix`. They accept any name without a password, so they are for local use only.

    A browser is redirected to pages of `origins` only.
    """

    def __init__(self, prefix: str, client_id: str, grant: Grant, *, origins: Sequence[str]) -> None:
        self._prefix = prefix
        self._client_id = client_id
        self._grant = grant
        self._origins = tuple(origins)
        self._codes: dict[str, Code] = {}
        self._refreshes: dict[str, str] = {}

    def routes(self) -> list[Route]:
        return [
            Route(f"{self._prefix}/authorize", self._show_form, methods=["GET"]),
            Route(f"{self._prefix}/authorize", self._submit_form, methods=["POST"]),
            Route(f"{self._prefix}/oauth2/token", self._tokens, methods=["POST"]),
            Route(f"{self._prefix}/logout", self._sign_out, methods=["GET"]),
        ]

    # ---- the authorization endpoint ------------------------------------------------------------------------------

    async def _show_form(self, request: Request) -> Response:
        """Return the form; redirect a browser that has signed in before, with a code."""
        parameters = dict(request.query_params)
        try:
            self._check(parameters)
        except BadRequest as error:
            return _refuse(error)
        known = request.cookies.get(_SESSION)
        if known and parameters.get("prompt") != "login":
            return self._redirect(parameters, known)
        return HTMLResponse(_form(parameters), headers=_PAGE)

    async def _submit_form(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
        subject = form.pop("subject", "").strip()
        try:
            self._check(form)
        except BadRequest as error:
            return _refuse(error)
        if not subject:
            return HTMLResponse(_form(form), 400, headers=_PAGE)
        return self._redirect(form, subject)

    def _check(self, parameters: Mapping[str, str]) -> None:
        # With a code its receiver gets tokens, also those of a user who signed in before.
        if not is_page_of(parameters.get("redirect_uri", ""), self._origins):
            raise BadRequest("invalid_request", f"redirect_uri must be {self._pages()}")
        if parameters.get("client_id") != self._client_id:
            raise BadRequest("invalid_client", f"client_id must be {self._client_id}")
        if parameters.get("response_type") != "code":
            raise BadRequest("unsupported_response_type", "response_type must be code")
        if parameters.get("code_challenge_method", "S256") != "S256" or not parameters.get("code_challenge"):
            raise BadRequest("invalid_request", "code_challenge is required, with the method S256")

    def _redirect(self, parameters: Mapping[str, str], subject: str) -> Response:
        code = secrets.token_urlsafe(24)
        until = time.time() + _CODE_SECONDS
        self._codes[code] = Code(
            subject, parameters["redirect_uri"], parameters["code_challenge"], parameters.get("nonce"), until
        )
        query = urlencode({"code": code, **({"state": parameters["state"]} if "state" in parameters else {})})
        response = RedirectResponse(f"{parameters['redirect_uri']}?{query}", 303, headers=_NO_STORE)
        response.set_cookie(_SESSION, subject, path=self._prefix, httponly=True, samesite="lax")
        return response

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
        """Return subject and nonce for a code or a refresh token; each is valid once. Raises BadRequest."""
        if form.get("client_id") != self._client_id:
            raise BadRequest("invalid_client", f"client_id must be {self._client_id}")
        match form.get("grant_type"):
            case "refresh_token":
                subject = self._refreshes.pop(form.get("refresh_token", ""), None)
                if subject is None:
                    raise BadRequest("invalid_grant", "the refresh token is unknown or used; sign in again")
                return subject, None
            case "authorization_code":
                code = self._codes.pop(form.get("code", ""), None)
                if code is None or code.until < time.time():
                    raise BadRequest("invalid_grant", "the code is unknown, used or expired; sign in again")
                if code.redirect_uri != form.get("redirect_uri"):
                    raise BadRequest("invalid_grant", "redirect_uri must be the one of the authorization request")
                if not hmac.compare_digest(code.challenge, challenge_of(form.get("code_verifier", ""))):
                    raise BadRequest("invalid_grant", "code_verifier does not match code_challenge")
                return code.subject, code.nonce
        raise BadRequest("unsupported_grant_type", "grant_type must be authorization_code or refresh_token")

    # ---- the logout endpoint -----------------------------------------------------------------------------------------

    async def _sign_out(self, request: Request) -> Response:
        to = request.query_params.get("post_logout_redirect_uri", "")
        if not is_page_of(to, self._origins):
            return _refuse(BadRequest("invalid_request", f"post_logout_redirect_uri must be {self._pages()}"))
        response = RedirectResponse(to, 303, headers=_NO_STORE)
        response.delete_cookie(_SESSION, path=self._prefix)
        return response

    def _pages(self) -> str:
        return f"a page, without query and fragment, of one of: {', '.join(self._origins)}"


def challenge_of(verifier: str) -> str:
    """Return the code challenge of a verifier, by the method S256 of RFC 7636."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _refuse(error: BadRequest) -> Response:
    return JSONResponse({"error": error.code, "error_description": error.description}, 400, headers=_NO_STORE)


def _form(parameters: Mapping[str, str]) -> str:
    hidden = "".join(
        f'<input type="hidden" name="{name}" value="{html.escape(parameters[name])}">'
        for name in _HIDDEN_FIELDS
        if name in parameters
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
    {hidden}
    <label for="subject">Who are you?</label>
    <input id="subject" name="subject" value="alice" autocomplete="username" required maxlength="100" autofocus>
    <button>Sign in</button>
  </form>
  <p>Enter any name; there is no password. This issuer runs on this machine, for development only.</p>
</main>
</html>
"""
