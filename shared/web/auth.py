"""Identify a request's user by API Gateway's authorizer, or by a token or ticket that the function checks itself."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request

from shared.errors import Unauthenticated
from shared.observability.log import log
from shared.packages import postpone_init
from shared.web.issuer_keys import IssuerKeys, slash_hint
from shared.web.tickets import StreamTickets

postpone_init("cryptography.x509")  # PyJWT imports it for keys that are certificates, and a key set has none

LEEWAY_SECONDS = 5
"""Tolerated difference between the clocks of a token's issuer and of this process."""


CountWrite = Callable[[str], None]
"""Counts a write of a user. Raises RateLimitExceeded if it is above the limit."""

_READS = frozenset({"GET", "HEAD"})


def COUNTED_BY_SERVICE(_user: str) -> None:  # noqa: N802 - a constant for `create_app`
    """Count nothing, because the operation's service counts what it creates."""


async def current_user(request: Request) -> str:
    """Return the user's `sub`, which API Gateway's JWT authorizer read from the token, and count the user's write.

    Raises:
        Unauthenticated: the request did not pass an authorizer.
        RateLimitExceeded: the request writes, and the user has reached the limit of the operation.
    """
    event: dict[str, Any] = request.scope.get("aws.event") or {}
    authorizer = event.get("requestContext", {}).get("authorizer") or {}
    claims: dict[str, Any] = (authorizer.get("jwt") or {}).get("claims", {})
    subject = claims.get("sub")
    _refuse_id_token(claims)
    if not subject:
        raise Unauthenticated("the request has no token; send one in the Authorization header, as Bearer")
    if request.method not in _READS:
        count_write: CountWrite | None = request.app.state.count_write
        if count_write is None:
            raise RuntimeError("an operation that writes must give create_app a `count_write`")
        count_write(str(subject))
    return str(subject)


CurrentUser = Annotated[str, Depends(current_user)]


class TokenVerifier:
    """Verify RS256 tokens of one issuer for one audience, with the keys that the issuer publishes."""

    def __init__(self, issuer: str, audience: str, *, keys: IssuerKeys) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = keys

    async def subject_of(self, token: str) -> str:
        """Return the token's `sub`.

        Raises:
            Unauthenticated: the token is not valid; the message says why.
            TransientFault: the issuer's keys could not be fetched, so it is unknown whether the token is valid.
        """
        key_id = _key_id_of(token)
        key = None if key_id is None else await self._keys.key(key_id)
        if key is None:
            raise Unauthenticated("the token is not valid; get a new one")
        return await asyncio.to_thread(self._verified, token, key)

    def _verified(self, token: str, key: Any) -> str:
        import jwt  # noqa: PLC0415 - it costs 0.1 s, and a stream that is opened with a ticket does not need it

        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "sub", "iss"], "verify_aud": False},
            )
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("the token has expired; get a new one") from None
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise Unauthenticated("the token is not valid; get a new one") from None
        if claims["iss"] != self._issuer:
            hint = slash_hint(self._issuer, claims["iss"])
            if hint is not None:  # the issuer's own key has signed it, so its text may be logged
                log.warning("issuer differs", configured=self._issuer, token=claims["iss"], hint=hint)
            raise Unauthenticated("the token is from another issuer; get one from this API's issuer")
        # Cognito's access tokens have `client_id` instead of `aud`. API Gateway accepts either claim, and so do we.
        audience = claims.get("aud", claims.get("client_id"))
        if self._audience not in (audience if isinstance(audience, list) else [audience]):
            raise Unauthenticated("the token is for another audience; get one for this API")
        _refuse_id_token(claims)
        return str(claims["sub"])


def _key_id_of(token: str) -> str | None:
    """Return the key id in the token's header, which is not verified yet; None if there is none."""
    header = token.partition(".")[0]
    try:
        match json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4))):
            case {"kid": str(key_id)}:
                return key_id
    except (ValueError, RecursionError):
        pass
    return None


@dataclass(frozen=True, slots=True)
class StreamGate:
    """Authenticate watchers by a token, or by a ticket for the job. `tokens` and `tickets` are called when needed."""

    tokens: Callable[[], TokenVerifier]
    tickets: Callable[[], StreamTickets]

    async def owner(self, token: str | None, ticket: str | None, job_id: str) -> str:
        """Return the user whom the token or the ticket names; the token has precedence.

        Raises:
            Unauthenticated: there is neither a token nor a ticket, or it is not valid.
            Forbidden: the ticket is for another job.
            TransientFault: the issuer's keys could not be fetched.
        """
        if token is not None:
            return await self.tokens().subject_of(token)
        if ticket is not None:
            checked = await asyncio.to_thread(lambda: self.tickets().check(ticket, job_id))  # it may fetch secrets
            return checked.owner
        raise Unauthenticated(
            "the request has no token and no ticket; send a token in the Authorization header, as Bearer, "
            "or a ticket in the query"
        )


def _refuse_id_token(claims: Mapping[str, Any]) -> None:
    """Raise Unauthenticated for an ID token: it says to the client who signed in, and gives no access.

    Cognito names the use of a token in `token_use`, Keycloak in `typ`; `at_hash` belongs to ID tokens only.
    """
    if claims.get("token_use", "access") != "access" or claims.get("typ") == "ID" or "at_hash" in claims:
        raise Unauthenticated("the token is an ID token; send the access token")


def bearer_token(request: Request) -> str | None:
    """Return the bearer token of the Authorization header; None if there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None
