"""The port to stored webhook endpoints, and how one is changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from shared.jobs.store import PreparedWrites
from shared.webhooks.endpoint import WebhookEndpoint


class EndpointChanged(Exception):
    """The stored endpoint is not the one that was to be replaced, or it is deleted."""


class EndpointLimitReached(Exception):
    """The owner has reached the maximum number of endpoints."""


class WebhookStore(Protocol):
    """Store the webhook endpoints of each owner. Reads are strongly consistent."""

    def put_new(self, endpoint: WebhookEndpoint, *, limit: int, also: PreparedWrites | None = None) -> None:
        """Store the endpoint, and `also` together with it.

        Raises:
            SideWriteConflict: a condition of `also` does not hold.
            EndpointLimitReached: the owner has `limit` endpoints.
        """

    def get(self, owner: str, endpoint_id: str) -> WebhookEndpoint | None:
        """Return the endpoint; None if the owner has none with this id."""

    def list_of(self, owner: str) -> Sequence[WebhookEndpoint]:
        """Return all endpoints of the owner, newest first."""

    def replace(self, before: WebhookEndpoint, after: WebhookEndpoint) -> WebhookEndpoint:
        """Store `after` with a new revision, and return it so.

        Raises EndpointChanged if the stored revision is not that of `before`.
        """

    def remove(self, owner: str, endpoint_id: str) -> None:
        """Delete the endpoint. Do nothing if there is none."""


def enabled_of(endpoints: WebhookStore, owner: str) -> Sequence[WebhookEndpoint]:
    """Return the owner's endpoints that are not disabled, newest first; a paused endpoint is among them."""
    return [each for each in endpoints.list_of(owner) if not each.disabled]


def change_endpoint(
    endpoints: WebhookStore, owner: str, endpoint_id: str, change: Callable[[WebhookEndpoint], WebhookEndpoint]
) -> WebhookEndpoint | None:
    """Store what `change` returns for the stored endpoint, and return that; None if there is no such endpoint.

    If another request has changed the endpoint meanwhile, call `change` again with that endpoint. Store nothing if it
    returns the endpoint as it is. What `change` raises is raised.
    """
    while True:
        before = endpoints.get(owner, endpoint_id)
        if before is None:
            return None
        after = change(before)
        if after == before:
            return before
        try:
            return endpoints.replace(before, after)
        except EndpointChanged:
            continue
