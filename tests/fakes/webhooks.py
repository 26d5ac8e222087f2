"""The port to webhook endpoints, in memory, and their secrets."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Sequence

from shared.clock import Clock
from shared.jobs.store import PreparedWrites
from shared.webhooks.endpoint import WebhookEndpoint
from shared.webhooks.secrets import WebhookSecrets
from shared.webhooks.store import EndpointChanged, EndpointLimitReached
from tests.fakes.transactions import FakeWrite, write_all

MASTER_SECRET = "first-master-key-of-tests"
"""One master key."""


def fake_webhook_secrets(clock: Clock, *, master_secret: str = MASTER_SECRET) -> WebhookSecrets:
    """Return the secrets that are derived from this master secret."""
    return WebhookSecrets(lambda: master_secret, lambda: master_secret, clock=clock)


class FakeWebhookStore:
    """Implements WebhookStore. It stores endpoints as JSON, so that a read returns a new object."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stored: dict[tuple[str, str], str] = {}

    def put_new(self, endpoint: WebhookEndpoint, *, limit: int, also: PreparedWrites | None = None) -> None:
        key, text = (endpoint.owner, endpoint.id), endpoint.model_dump_json()

        def write() -> None:
            if self._stored.get(key) != text and len(self._of(endpoint.owner)) >= limit:
                raise EndpointLimitReached
            self._stored[key] = text

        # It has the last rank, so the conditions of the other writes are known when the limit is checked.
        own = FakeWrite(endpoint.id, self._lock, lambda: True, write, rank=2)
        write_all(PreparedWrites((own, *(also.writes if also else ()))))

    def get(self, owner: str, endpoint_id: str) -> WebhookEndpoint | None:
        with self._lock:
            text = self._stored.get((owner, endpoint_id))
            return None if text is None else WebhookEndpoint.model_validate_json(text)

    def list_of(self, owner: str) -> Sequence[WebhookEndpoint]:
        with self._lock:
            return self._of(owner)

    def replace(self, before: WebhookEndpoint, after: WebhookEndpoint) -> WebhookEndpoint:
        with self._lock:
            key = (after.owner, after.id)
            written = after.model_copy(update={"revision": secrets.token_hex(8)})
            text = self._stored.get(key)
            if text is None or WebhookEndpoint.model_validate_json(text).revision != before.revision:
                raise EndpointChanged
            self._stored[key] = written.model_dump_json()
            return written

    def remove(self, owner: str, endpoint_id: str) -> None:
        with self._lock:
            self._stored.pop((owner, endpoint_id), None)

    def _of(self, owner: str) -> list[WebhookEndpoint]:
        found = [WebhookEndpoint.model_validate_json(text) for (who, _), text in self._stored.items() if who == owner]
        return sorted(found, key=lambda endpoint: endpoint.id, reverse=True)
