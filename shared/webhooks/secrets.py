"""The secrets of webhook endpoints: each is derived from a master key when it is needed, and none is stored."""

from __future__ import annotations

from collections.abc import Callable

from shared.clock import Clock
from shared.errors import StorageUnavailable
from shared.webhooks.endpoint import SigningKey, WebhookEndpoint
from shared.webhooks.signature import derived_secret, shown_secret, signed_headers


class WebhookSecrets:
    """Derive the secrets of endpoints, and sign with them.

    The master secret is a text of one or more master keys, separated by spaces and numbered from 1 in this order. New
    secrets are derived from the last one. To replace the master key, append another one: existing secrets keep theirs.
    `master_secret` returns the text; `newer_master_secret` is called if a key is not in it, and returns a newer text.
    """

    def __init__(
        self, master_secret: Callable[[], str], newer_master_secret: Callable[[], str], *, clock: Clock
    ) -> None:
        self._master_secret = master_secret
        self._newer_master_secret = newer_master_secret
        self._clock = clock

    def next_key(self, version: int) -> SigningKey:
        """Return a new version of a secret, derived from the last master key."""
        return SigningKey(version=version, master_key=len(self._master_secret().split()))

    def shown(self, endpoint_id: str, key: SigningKey) -> str:
        """Return a secret as receivers get it. Raises StorageUnavailable if its master key is not there."""
        return shown_secret(self._secret(endpoint_id, key))

    def signed_headers(self, endpoint: WebhookEndpoint, message_id: str, body: bytes) -> dict[str, str]:
        """Return the headers of an attempt that begins now, signed with each version of the secret that is valid.

        Raises StorageUnavailable if a master key is not there.
        """
        now = self._clock()
        secrets = [self._secret(endpoint.id, key) for key in endpoint.keys_at(now)]
        return signed_headers(secrets, message_id, int(now.timestamp()), body)

    def _secret(self, endpoint_id: str, key: SigningKey) -> bytes:
        for text in (self._master_secret, self._newer_master_secret):
            master_keys = text().split()
            if key.master_key <= len(master_keys):
                return derived_secret(master_keys[key.master_key - 1].encode(), endpoint_id, key.version)
        raise StorageUnavailable(f"master key {key.master_key} of webhooks is not in the master secret")
