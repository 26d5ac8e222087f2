"""Fetch an issuer's public keys, and keep them so that an issuer that is slow or sends nonsense holds up no request."""

from __future__ import annotations

import asyncio
import json
import math
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, Final
from urllib.parse import urlsplit

from shared.errors import ErrorCode, TransientFault
from shared.observability.log import log

FRESH_SECONDS: Final = 600.0
"""How long keys are used before they are fetched again."""

KEPT_SECONDS: Final = 3600.0
"""How long keys are used if they cannot be fetched again: also how long a withdrawn key is trusted at most."""

PAUSE_SECONDS: Final = 10.0
"""The shortest time between two fetches, so that tokens with unknown key ids cannot cause one each."""

WAIT_SECONDS: Final = 5.0
"""How long requests without a usable key wait for a fetch, from its start."""

SHORT_WAIT_SECONDS: Final = 0.5
"""How long requests that could use the old key wait for a fetch, from its start."""

ABANDONED_SECONDS: Final = 60.0
"""How long after its start a fetch that has not ended counts no longer, so that another may begin."""

_MAX_BYTES: Final = 256 * 1024
_MAX_REDIRECTS: Final = 3

Keys = Mapping[str, Any]
"""An issuer's keys by key id."""


class KeysUnreadable(Exception):
    """The issuer did not send its keys; the text says why, for an operator."""


class IssuerKeys:
    """The keys of one issuer. Threads and event loops may share it; at most one fetch runs at a time.

    `fetch` returns the keys, or raises KeysUnreadable or OSError. It runs in a separate thread, because a fetch that
    hangs must not take one of the threads that requests need. `clock` returns seconds.
    """

    def __init__(self, fetch: Callable[[], Keys], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: Keys = {}
        self._fetched_at = -math.inf
        self._begun_at = -math.inf
        self._running: Future[None] | None = None

    async def key(self, key_id: str) -> Any | None:
        """Return the key; None if the issuer has no key of this id.

        Raises TransientFault, IDENTITY_UNAVAILABLE, if that is unknown, because the keys cannot be fetched.
        """
        if key_id not in self._keys or self._age() >= FRESH_SECONDS:
            running = self._begin()
            if running is not None:
                usable = key_id in self._keys and self._age() < KEPT_SECONDS
                limit = self._begun_at + (SHORT_WAIT_SECONDS if usable else WAIT_SECONDS) - self._clock()
                await asyncio.wait([asyncio.wrap_future(running)], timeout=max(0.0, limit))
        if key_id in self._keys and self._age() < KEPT_SECONDS:
            return self._keys[key_id]
        if self._fetched_at < self._begun_at:
            raise self._unavailable()
        return None

    def _age(self) -> float:
        return self._clock() - self._fetched_at

    def _begin(self) -> Future[None] | None:
        """Return the fetch that runs, and begin one if none does; None if the last one began too short a time ago."""
        with self._lock:
            since = self._clock() - self._begun_at
            if self._running is not None and since < ABANDONED_SECONDS:
                return self._running
            if since < PAUSE_SECONDS:
                return None
            self._begun_at = self._clock()
            self._running = ended = Future[None]()
        threading.Thread(target=self._run, args=(ended,), name="issuer keys", daemon=True).start()
        return ended

    def _run(self, ended: Future[None]) -> None:
        """Fetch the keys; whatever the issuer sends, the fetch ends."""
        keys: Keys | None = None
        try:
            keys = self._fetch()
        except (KeysUnreadable, OSError) as error:
            log.warning("identity provider unavailable", reason=str(error) or type(error).__name__)
        except Exception as error:  # noqa: BLE001 - nothing that an issuer sends may become a 500
            log.defect("identity provider unavailable", error)
        with self._lock:
            if keys is not None:
                self._keys, self._fetched_at = keys, self._clock()
            if self._running is ended:
                self._running = None
        ended.set_result(None)

    def _unavailable(self) -> TransientFault:
        fault = TransientFault(
            "the identity provider's keys cannot be fetched, so the token could not be checked; wait for "
            "Retry-After, and send the request again with the same token",
            code=ErrorCode.IDENTITY_UNAVAILABLE,
        )
        fault.retry_after = max(1, math.ceil(self._begun_at + PAUSE_SECONDS - self._clock()))
        return fault


def fetch_keys(issuer: str, jwks_url: str | None = None) -> Keys:
    """Return the RSA keys that an issuer publishes for signatures; without `jwks_url`, OpenID discovery finds its URL.

    Raises KeysUnreadable, or OSError if the issuer cannot be reached.
    """
    return _keys_in(_document_at(jwks_url or discover_jwks_url(issuer)))


def discover_jwks_url(issuer: str) -> str:
    """Return the issuer's `jwks_uri`, found by OpenID Connect discovery.

    Raises KeysUnreadable, or OSError if the issuer cannot be reached.
    """
    document = _document_at(issuer.rstrip("/") + "/.well-known/openid-configuration")
    url, named = document.get("jwks_uri"), document.get("issuer")
    if named != issuer:
        log.warning("issuer differs", configured=issuer, discovered=named, hint=slash_hint(issuer, named))
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
    except ValueError:
        parts = urlsplit("")
    if not isinstance(url, str) or not parts.hostname:
        raise KeysUnreadable("the discovery document has no valid jwks_uri")
    if parts.scheme not in {"https", urlsplit(issuer).scheme}:
        raise KeysUnreadable("the discovery document's jwks_uri must begin with https://")
    return url


def slash_hint(configured: str, other: object) -> str | None:
    """Return what to do if two issuers differ by the slash at their end only, else None."""
    if not isinstance(other, str) or configured == other or configured.rstrip("/") != other.rstrip("/"):
        return None
    return "they differ by the slash at the end only; set OidcIssuer exactly as it is in the iss of the tokens"


def _keys_in(document: Mapping[str, Any]) -> Keys:
    """Return the usable keys of a key set by key id. Keys of other kinds and broken ones are left out."""
    from jwt import PyJWTError  # noqa: PLC0415 - it costs 0.1 s, which only a stream with a token has to pay
    from jwt.algorithms import RSAAlgorithm  # noqa: PLC0415

    listed = document.get("keys")
    if not isinstance(listed, list):
        raise KeysUnreadable("the key set has no list of keys")
    usable: dict[str, Any] = {}
    for key in listed:
        match key:
            case {"kty": "RSA", "kid": str(key_id), "n": str(modulus), "e": str(exponent)}:
                if key.get("use", "sig") != "sig" or key.get("alg", "RS256") != "RS256":
                    continue
                try:
                    usable[key_id] = RSAAlgorithm.from_jwk({"kty": "RSA", "n": modulus, "e": exponent})
                except (PyJWTError, ValueError, TypeError, OverflowError) as error:
                    log.warning("key left out", key_id=key_id[:64], reason=type(error).__name__)
    if not usable:
        raise KeysUnreadable("the key set has no usable RSA key for signatures with RS256")
    return usable


def _document_at(url: str) -> Mapping[str, Any]:
    """Return the JSON object at a URL, with limits on its size, its redirects and the time that it takes."""
    import http.client  # noqa: PLC0415 - these are only needed for a fetch
    from urllib.request import HTTPRedirectHandler, Request, build_opener  # noqa: PLC0415

    class Redirects(HTTPRedirectHandler):
        max_redirections = _MAX_REDIRECTS

        def redirect_request(self, *args: Any) -> Request | None:
            target: str = args[5]
            if urlsplit(target).scheme not in {"https", urlsplit(url).scheme}:
                raise KeysUnreadable(f"{url} redirects to a URL that does not begin with https://")
            return super().redirect_request(*args)

    deadline = time.monotonic() + WAIT_SECONDS
    body = b""
    try:
        with build_opener(Redirects()).open(Request(url), timeout=WAIT_SECONDS) as response:  # noqa: S310 - checked
            while part := response.read1(64 * 1024):
                body += part
                if len(body) > _MAX_BYTES:
                    raise KeysUnreadable(f"{url} has more than {_MAX_BYTES} bytes")
                if time.monotonic() > deadline:
                    raise KeysUnreadable(f"{url} was not read within {WAIT_SECONDS:.0f} s")
        document = json.loads(body)
    except OSError as error:  # urllib's errors, with the status, are OSErrors
        raise KeysUnreadable(f"{url}: {error}") from None
    except (ValueError, RecursionError, http.client.HTTPException) as error:
        raise KeysUnreadable(f"{url} did not send JSON ({type(error).__name__})") from None
    if not isinstance(document, dict):
        raise KeysUnreadable(f"{url} did not send a JSON object")
    return document
