"""A local OIDC issuer: signs RS256 tokens with a key of its own and publishes it as JWKS."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Mapping
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
    """Tokens of one issuer for one audience, for local use only.

    The key is made anew, or kept in `key_file`: then tokens stay valid when the process is started again.
    """

    def __init__(self, url: str, audience: str, *, key_file: Path | None = None) -> None:
        self.url = url
        self.audience = audience
        self._key = _new_key() if key_file is None else _kept_key(key_file)
        self.public_key = self._key.public_key()
        self.key_id = hashlib.sha256(self.public_key.public_numbers().n.to_bytes(256)).hexdigest()[:32]

    def token(self, subject: str, *, expires_in: int = 3600, claims: Mapping[str, Any] | None = None) -> str:
        """A signed token; a claim given as None is left out, which is how a test gets a token without `exp`."""
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
        """Discovery, keys, signing in, and `/token`, which gives anybody's token without asking."""
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
            wish = await request.json()
            subject, expires_in = wish.pop("sub"), int(wish.pop("expiresIn", 3600))
            return JSONResponse(
                {
                    "access_token": self.token(subject, expires_in=expires_in, claims=wish),
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
                *SignIn(PREFIX, self.audience, self._granted).routes(),
            ],
            # Pages of other origins sign in here too, as `localhost` is another origin than `127.0.0.1`.
            middleware=[Middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["GET", "POST"])],
        )

    def _granted(self, subject: str, nonce: str | None) -> dict[str, object]:
        lasting = 3600
        return {
            "access_token": self.token(subject, expires_in=lasting),
            "id_token": self.token(subject, expires_in=lasting, claims={"nonce": nonce, "token_use": "id"}),
            "token_type": "Bearer",
            "expires_in": lasting,
        }


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _kept_key(file: Path) -> rsa.RSAPrivateKey:
    if not file.exists():
        pem = _new_key().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file.touch(mode=0o600)
        file.write_bytes(pem)
    key = serialization.load_pem_private_key(file.read_bytes(), None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError(f"{file} holds no RSA key")
    return key
