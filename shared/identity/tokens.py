"""Verify the tokens of one issuer."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.errors import Unauthenticated
from shared.identity.issuer_keys import IssuerKeys, slash_hint
from shared.observability.log import log
from shared.packages import postpone_init

postpone_init("cryptography.x509")  # PyJWT imports it for keys that are certificates, and a key set has none

LEEWAY_SECONDS = 5
"""Tolerated difference between the clocks of a token's issuer and of this process."""


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """What a valid token says: its user, and when it expires (Unix seconds)."""

    subject: str
    expires_at: float


class TokenVerifier:
    """Verify RS256 tokens of one issuer for one audience, with the keys that the issuer publishes."""

    def __init__(self, issuer: str, audience: str, *, keys: IssuerKeys) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = keys

    async def subject_of(self, token: str) -> str:
        """Return the token's `sub`. Raises as `verified` does."""
        return (await self.verified(token)).subject

    async def verified(self, token: str) -> VerifiedToken:
        """Return what the token says.

        Raises:
            Unauthenticated: the token is not valid; the message says why.
            TransientFault: the issuer's keys could not be fetched, so it is unknown whether the token is valid.
        """
        key_id = _key_id_of(token)
        key = None if key_id is None else await self._keys.key(key_id)
        if key is None:
            raise Unauthenticated("the token is not valid; get a new one")
        return await asyncio.to_thread(self._verified, token, key)

    def _verified(self, token: str, key: Any) -> VerifiedToken:
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
        refuse_id_token(claims)
        return VerifiedToken(str(claims["sub"]), float(claims["exp"]))


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


def refuse_id_token(claims: Mapping[str, Any]) -> None:
    """Raise Unauthenticated for an ID token: it says to the client who signed in, and gives no access.

    Cognito names the use of a token in `token_use`, Keycloak in `typ`; `at_hash` belongs to ID tokens only.
    """
    if claims.get("token_use", "access") != "access" or claims.get("typ") == "ID" or "at_hash" in claims:
        raise Unauthenticated("the token is an ID token; send the access token")
