"""The WebhookStore, in memory and on DynamoDB, keeps endpoints, the latest write and the limit of each owner."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.webhooks.endpoint import DisabledReason, EndpointHealth, SigningKey, WebhookEndpoint, new_endpoint_id
from shared.webhooks.store import EndpointChanged, EndpointLimitReached, change_endpoint, enabled_of
from tests.fakes.clock import NOON
from tests.storage.at_once import CALLERS, at_once
from tests.storage.ports import Ports


def an_endpoint(owner: str, **fields: Any) -> WebhookEndpoint:
    values: dict[str, Any] = {
        "id": new_endpoint_id(int(NOON.timestamp() * 1000)),
        "owner": owner,
        "url": "https://example.com/hooks",
        "event_types": ("job.completed",),
        "signing_keys": (SigningKey(version=1, master_key=1),),
        "created_at": NOON,
        "updated_at": NOON,
    }
    return WebhookEndpoint(**{**values, **fields})


@pytest.fixture
def endpoint(ports: Ports, owner: str) -> WebhookEndpoint:
    """An endpoint that is stored."""
    made = an_endpoint(owner)
    ports.webhooks.put_new(made, limit=20)
    return made


class TestEndpoints:
    @pytest.mark.parametrize(
        "fields",
        [
            {},
            {"pipelines": ("poem",), "include": ("result",), "description": "für alle \U0001f600"},
            {"health": EndpointHealth(consecutive_failures=7, failing_since=NOON, paused_until=NOON, pause_seconds=60)},
            {"status": "disabled", "disabled_reason": "gone", "disabled_at": NOON},
            {"signing_keys": (SigningKey(version=2, master_key=2), SigningKey(version=1, master_key=1, ends_at=NOON))},
        ],
    )
    def test_the_store_returns_an_endpoint_unchanged(self, ports: Ports, owner: str, fields: dict[str, Any]) -> None:
        endpoint = an_endpoint(owner, **fields)
        ports.webhooks.put_new(endpoint, limit=20)
        assert ports.webhooks.get(owner, endpoint.id) == endpoint
        assert ports.webhooks.list_of(owner) == [endpoint]

    def test_an_owner_does_not_find_the_endpoint_of_another(self, ports: Ports, endpoint: WebhookEndpoint) -> None:
        assert ports.webhooks.get("someone else", endpoint.id) is None
        assert ports.webhooks.list_of(f"not {endpoint.owner}") == []

    def test_the_list_has_the_newest_endpoint_first(self, ports: Ports, owner: str) -> None:
        made = [an_endpoint(owner, id=new_endpoint_id(second * 1000)) for second in range(5)]
        for each in made:
            ports.webhooks.put_new(each, limit=20)
        assert ports.webhooks.list_of(owner) == made[::-1]

    def test_only_an_endpoint_that_is_disabled_gets_nothing(self, ports: Ports, owner: str) -> None:
        paused, disabled, enabled = (
            an_endpoint(owner, status=status, disabled_reason=reason)
            for status, reason in (("paused", None), ("disabled", "owner"), ("enabled", None))
        )
        for each in (paused, disabled, enabled):
            ports.webhooks.put_new(each, limit=20)
        assert {each.id for each in enabled_of(ports.webhooks, owner)} == {paused.id, enabled.id}


class TestReplacement:
    def test_a_replacement_gets_a_new_revision(self, ports: Ports, endpoint: WebhookEndpoint) -> None:
        changed = ports.webhooks.replace(endpoint, endpoint.model_copy(update={"description": "new"}))
        assert changed == endpoint.model_copy(update={"description": "new", "revision": changed.revision})
        assert changed.revision != endpoint.revision
        assert ports.webhooks.get(endpoint.owner, endpoint.id) == changed

    def test_a_replaced_endpoint_cannot_be_replaced_again(self, ports: Ports, endpoint: WebhookEndpoint) -> None:
        ports.webhooks.replace(endpoint, endpoint.model_copy(update={"description": "first"}))
        with pytest.raises(EndpointChanged):
            ports.webhooks.replace(endpoint, endpoint.model_copy(update={"description": "second"}))

    def test_an_equal_replacement_by_another_request_is_refused(self, ports: Ports, endpoint: WebhookEndpoint) -> None:
        after = endpoint.disabled_for(DisabledReason.GONE, NOON)
        ports.webhooks.replace(endpoint, after)
        with pytest.raises(EndpointChanged):
            ports.webhooks.replace(endpoint, after)

    def test_a_removed_endpoint_cannot_be_replaced(self, ports: Ports, endpoint: WebhookEndpoint) -> None:
        ports.webhooks.remove(endpoint.owner, endpoint.id)
        with pytest.raises(EndpointChanged):
            ports.webhooks.replace(endpoint, endpoint.model_copy(update={"description": "new"}))
        assert ports.webhooks.get(endpoint.owner, endpoint.id) is None

    def test_every_concurrent_change_is_kept(self, ports: Ports, endpoint: WebhookEndpoint) -> None:
        def one_failure(found: WebhookEndpoint) -> WebhookEndpoint:
            failures = found.health.consecutive_failures + 1
            health = EndpointHealth(consecutive_failures=failures, failing_since=NOON + timedelta(seconds=failures))
            return found.model_copy(update={"health": health})

        at_once(lambda _: change_endpoint(ports.webhooks, endpoint.owner, endpoint.id, one_failure))
        stored = ports.webhooks.get(endpoint.owner, endpoint.id)
        assert stored is not None
        assert stored.health.consecutive_failures == CALLERS


class TestRepetition:
    """botocore repeats a request to which it got no response."""

    def test_a_repeated_creation_stores_and_counts_the_endpoint_once(self, ports: Ports, owner: str) -> None:
        endpoint = an_endpoint(owner)
        for _ in range(3):
            ports.webhooks.put_new(endpoint, limit=2)
        ports.webhooks.put_new(an_endpoint(owner), limit=2)
        with pytest.raises(EndpointLimitReached):
            ports.webhooks.put_new(an_endpoint(owner), limit=2)

    def test_a_repeated_removal_lowers_the_count_once(
        self, ports: Ports, owner: str, endpoint: WebhookEndpoint
    ) -> None:
        ports.webhooks.put_new(an_endpoint(owner), limit=2)
        for _ in range(2):
            ports.webhooks.remove(owner, endpoint.id)
        ports.webhooks.put_new(an_endpoint(owner), limit=2)
        with pytest.raises(EndpointLimitReached):
            ports.webhooks.put_new(an_endpoint(owner), limit=2)


class TestLimit:
    def test_concurrent_creations_reach_the_limit_exactly(self, ports: Ports, owner: str) -> None:
        def put(_: int) -> bool:
            try:
                ports.webhooks.put_new(an_endpoint(owner), limit=7)
            except EndpointLimitReached:
                return False
            return True

        assert at_once(put).count(True) == 7
        assert len(ports.webhooks.list_of(owner)) == 7

    def test_each_owner_has_a_separate_limit(self, ports: Ports, owner: str) -> None:
        for each in (owner, f"not {owner}"):
            ports.webhooks.put_new(an_endpoint(each), limit=1)
