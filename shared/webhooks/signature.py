"""Sign webhook requests as Standard Webhooks 1.0.0 says, so that every library for it can verify them.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence

ID_HEADER = "webhook-id"
TIMESTAMP_HEADER = "webhook-timestamp"
SIGNATURE_HEADER = "webhook-signature"

SECRET_BYTES = 32
"""The length of a secret. The specification allows 24 to 64 bytes."""

_PREFIX = "whsec_"
_VERSION = "v1"
"""HMAC-SHA256 with a shared secret. The public libraries ignore the asymmetric v1a."""


def derived_secret(master_key: bytes, endpoint_id: str, version: int) -> bytes:
    """Return one version of an endpoint's secret: HKDF-SHA256 (RFC 5869) of the master key, without a salt."""
    info = f"millrace webhook secret {endpoint_id} {version}".encode()
    pseudorandom_key = hmac.digest(bytes(hashlib.sha256().digest_size), master_key, "sha256")
    return hmac.digest(pseudorandom_key, info + b"\x01", "sha256")[:SECRET_BYTES]


def shown_secret(secret: bytes) -> str:
    """Return the secret as receivers get it, such as `whsec_MfKQ9r8…`."""
    return _PREFIX + base64.b64encode(secret).decode()


def signed_headers(secrets: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers of one attempt to send `body`, with one signature for each of the secrets.

    `message_id` is the same in every attempt; `timestamp` is the time of this attempt, in Unix seconds.
    """
    signed = f"{message_id}.{timestamp}.".encode() + body
    signatures = (base64.b64encode(hmac.digest(secret, signed, "sha256")).decode() for secret in secrets)
    return {
        ID_HEADER: message_id,
        TIMESTAMP_HEADER: str(timestamp),
        SIGNATURE_HEADER: " ".join(f"{_VERSION},{each}" for each in signatures),
    }
