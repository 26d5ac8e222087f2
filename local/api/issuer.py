"""A local OIDC issuer: signs RS256 tokens with its own key, and publishes the key as JWKS."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from local.api.sign_in import SignIn

PREFIX = "/_issuer"


class Issuer:
    """Signs tokens for one audience; for local use only. Users sign in at pages of `origins`, and at no others.

    With a `key_file` the key is stored there, so tokens stay valid when the process is started again.
    """

    def __init__(self, url: str, audience: str, *, origins: Sequence[str] = (), key_file: Path | None = None) -> None:
        self.url = url
        self.audience = audience
        self._origins = tuple(origins)
        self._key = _new_key() if key_file is None else _stored_key(key_file)
        self.public_key = self._key.public_key()
        self.key_id = hashlib.sha256(self.public_key.public_numbers().n.to_bytes(256)).hexdigest()[:32]

    def token(self, subject: str, *, expires_in: int = 3600, claims: Mapping[str, Any] | None = None) -> str:
        """Return a signed token. A claim that is None is left out: so a test gets a token without `exp`."""
        now = int(time.time())
        complete = {
            "iss": self.url,
            "aud": self.audience,
            "sub": subject,
            "iat": now,
            "nbf": now,
            "exp": now + expires_in,
            "jti": uuid.uuid4().hex,
            **(claims or {}),
        }
        kept = {name: value for name, value in complete.items() if value is not None}
        return jwt.encode(kept, self._key, algorithm="RS256", headers={"kid": self.key_id})

    def application(self) -> Starlette:
        """Return the app: discovery, keys, sign-in, and `/token`, which returns a token for any subject."""
        key = json.loads(RSAAlgorithm.to_jwk(self.public_key))
        jwks = {"keys": [{**key, "kid": self.key_id, "use": "sig", "alg": "RS256"}]}

        async def discovery(_: Request) -> JSONResponse:
            return JSONResponse(
                {
                    "issuer": self.url,
                    "jwks_uri": f"{self.url}/.well-known/jwks.json",
                    "authorization_endpoint": f"{self.url}/authorize",
                    "token_endpoint": f"{self.url}/oauth2/token",
                    "end_session_endpoint": f"{self.url}/logout",
                    "id_token_signing_alg_values_supported": ["RS256"],
                    "response_types_supported": ["code"],
                    "grant_types_supported": ["authorization_code", "refresh_token"],
                    "code_challenge_methods_supported": ["S256"],
                    "token_endpoint_auth_methods_supported": ["none"],
                    "scopes_supported": ["openid"],
                    "subject_types_supported": ["public"],
                }
            )

        async def keys(_: Request) -> JSONResponse:
            return JSONResponse(jwks)

        async def token(request: Request) -> JSONResponse:
            claims = await request.json()
            subject, expires_in = claims.pop("sub"), int(claims.pop("expiresIn", 3600))
            return JSONResponse(
                {
                    "access_token": self.token(subject, expires_in=expires_in, claims=claims),
                    "token_type": "Bearer",
                    "expires_in": expires_in,
                },
                headers={"cache-control": "no-store"},
            )

        return Starlette(
            routes=[
                Route(f"{PREFIX}/.well-known/openid-configuration", discovery),
                Route(f"{PREFIX}/.well-known/jwks.json", keys),
                Route(f"{PREFIX}/token", token, methods=["POST"]),
                *SignIn(PREFIX, self.audience, self._granted, origins=self._origins).routes(),
            ],
            # `localhost` and `127.0.0.1` are two origins, and the console may be opened at either.
            middleware=[Middleware(CORSMiddleware, allow_origins=self._origins, allow_methods=["GET", "POST"])],
        )

    def _granted(self, subject: str, nonce: str | None) -> dict[str, object]:
        seconds = 3600
        return {
            "access_token": self.token(subject, expires_in=seconds, claims={"token_use": "access"}),
            "id_token": self.token(subject, expires_in=seconds, claims={"nonce": nonce, "token_use": "id"}),
            "token_type": "Bearer",
            "expires_in": seconds,
        }


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _stored_key(file: Path) -> rsa.RSAPrivateKey:
    if not file.exists():
        pem = _new_key().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file.touch(mode=0o600)
        file.write_bytes(pem)
    key = serialization.load_pem_private_key(file.read_bytes(), None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError(f"{file} must contain an RSA key")
    return key
