"""Identify a request's user by API Gateway's authorizer, or by a token or ticket that the function checks itself."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request

from shared.errors import ErrorCode, TransientFault, Unauthenticated
from shared.packages import postpone_init
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

    def __init__(self, issuer: str, audience: str, *, jwks_url: Callable[[], str]) -> None:
        self._issuer = issuer
        self._audience = audience
        self._jwks_url = jwks_url

    def subject_of(self, token: str) -> str:
        """Return the token's `sub`.

        Raises:
            Unauthenticated: the token is not valid; the message says why.
            TransientFault: the issuer's keys could not be fetched.
        """
        import jwt  # noqa: PLC0415 - it costs 0.1 s, and a stream that is opened with a ticket does not need it

        try:
            key = self._keys.get_signing_key_from_jwt(token)
            claims = jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                issuer=self._issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "sub"], "verify_aud": False},
            )
        except (jwt.PyJWKClientConnectionError, OSError):
            raise TransientFault(
                "the identity provider's keys could not be fetched; try again", code=ErrorCode.IDENTITY_UNAVAILABLE
            ) from None
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("the token has expired; get a new one") from None
        except jwt.PyJWTError:
            raise Unauthenticated("the token is not valid; get a new one") from None
        # Cognito's access tokens have `client_id` instead of `aud`. API Gateway accepts either claim, and so do we.
        audience = claims.get("aud", claims.get("client_id"))
        if self._audience not in (audience if isinstance(audience, list) else [audience]):
            raise Unauthenticated("the token is for another audience; get one for this API")
        _refuse_id_token(claims)
        return str(claims["sub"])

    @functools.cached_property
    def _keys(self) -> Any:
        from jwt import PyJWKClient  # noqa: PLC0415 - as above

        # Cache the whole key set only. A cache of single keys would trust a withdrawn key until the process ends.
        return PyJWKClient(self._jwks_url(), lifespan=600, timeout=5)


@dataclass(frozen=True, slots=True)
class StreamGate:
    """Authenticate watchers by a token, or by a ticket for the job. `tokens` and `tickets` are called when needed."""

    tokens: Callable[[], TokenVerifier]
    tickets: Callable[[], StreamTickets]

    def owner(self, token: str | None, ticket: str | None, job_id: str) -> str:
        """Return the user whom the token or the ticket names; the token has precedence.

        Raises:
            Unauthenticated: there is neither a token nor a ticket, or it is not valid.
            Forbidden: the ticket is for another job.
            TransientFault: the issuer's keys could not be fetched.
        """
        if token is not None:
            return self.tokens().subject_of(token)
        if ticket is not None:
            return self.tickets().check(ticket, job_id).owner
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


def discover_jwks_url(issuer: str) -> str:
    """Return the issuer's `jwks_uri`, found by OpenID Connect discovery."""
    import json  # noqa: PLC0415
    from urllib.request import urlopen  # noqa: PLC0415

    url = issuer.rstrip("/") + "/.well-known/openid-configuration"
    with urlopen(url, timeout=5) as response:  # noqa: S310 - the issuer is a deploy parameter
        return str(json.load(response)["jwks_uri"])


def bearer_token(request: Request) -> str | None:
    """Return the bearer token of the Authorization header; None if there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None
