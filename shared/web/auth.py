"""Who is asking: the authorizer's claims where API Gateway has checked the token, our own check where it has not."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request

from shared.errors import ErrorCode, TransientFault, Unauthenticated
from shared.web.tickets import StreamTickets

LEEWAY_SECONDS = 5


async def current_user(request: Request) -> str:
    """The caller's `sub`, from the JWT authorizer. Raises Unauthenticated when no authorizer has spoken."""
    event: dict[str, Any] = request.scope.get("aws.event") or {}
    authorizer = event.get("requestContext", {}).get("authorizer") or {}
    subject = (authorizer.get("jwt") or {}).get("claims", {}).get("sub")
    if not subject:
        raise Unauthenticated("a bearer token is required")
    return str(subject)


CurrentUser = Annotated[str, Depends(current_user)]


class TokenVerifier:
    """Checks RS256 tokens of one issuer for one audience, with the keys the issuer publishes."""

    def __init__(self, issuer: str, audience: str, *, jwks_url: Callable[[], str]) -> None:
        self._issuer = issuer
        self._audience = audience
        self._jwks_url = jwks_url

    def subject_of(self, token: str) -> str:
        """The token's `sub`.

        Raises Unauthenticated, saying what is wrong with the token, and TransientFault when the issuer's keys cannot be
        fetched.
        """
        import jwt  # noqa: PLC0415 - a tenth of a second that a stream opened with a ticket need not pay

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
                "the identity provider's keys could not be fetched", code=ErrorCode.IDENTITY_UNAVAILABLE
            ) from None
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("the token has expired") from None
        except jwt.PyJWTError:
            raise Unauthenticated("the token is not valid here") from None
        # API Gateway does the same: Cognito's access tokens carry `client_id` in place of `aud`.
        audience = claims.get("aud", claims.get("client_id"))
        if self._audience not in (audience if isinstance(audience, list) else [audience]):
            raise Unauthenticated("the token is for another audience")
        return str(claims["sub"])

    @functools.cached_property
    def _keys(self) -> Any:
        from jwt import PyJWKClient  # noqa: PLC0415 - as above

        # Only the whole set is cached: a cache by key would trust a withdrawn key for the life of the process.
        return PyJWKClient(self._jwks_url(), lifespan=600, timeout=5)


@dataclass(frozen=True, slots=True)
class StreamGate:
    """Who may watch a job: the bearer of a token, or of a ticket for that job. Checkers are made when needed."""

    tokens: Callable[[], TokenVerifier]
    tickets: Callable[[], StreamTickets]

    def owner(self, token: str | None, ticket: str | None, job_id: str) -> str:
        """Raises Unauthenticated, and Forbidden for another job's ticket."""
        if token is not None:
            return self.tokens().subject_of(token)
        if ticket is not None:
            return self.tickets().check(ticket, job_id).owner
        raise Unauthenticated("a bearer token, or a ticket in the query, is required")


def discover_jwks_url(issuer: str) -> str:
    """The issuer's `jwks_uri` by OpenID Connect discovery."""
    import json  # noqa: PLC0415
    from urllib.request import urlopen  # noqa: PLC0415

    url = issuer.rstrip("/") + "/.well-known/openid-configuration"
    with urlopen(url, timeout=5) as answer:  # noqa: S310 - the issuer is a deploy parameter
        return str(json.load(answer)["jwks_uri"])


def bearer_token(request: Request) -> str | None:
    """The token of the Authorization header, if there is one."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None
