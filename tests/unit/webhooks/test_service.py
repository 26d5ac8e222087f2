"""What owners do with webhooks: create, read, list, change and delete them, and rotate their secrets."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from shared.errors import Conflict, ErrorCode, InvalidInput, NotFound
from shared.webhooks.endpoint import (
    GRACE_SECONDS,
    DisabledReason,
    EndpointHealth,
    EndpointSettings,
    EndpointStatus,
    WebhookEndpoint,
    WebhookEventType,
)
from shared.webhooks.service import ENDPOINTS_PER_OWNER, MOST_REPLACED_SECRETS
from shared.webhooks.store import change_endpoint
from tests.fakes.core import FakeCore

UNKNOWN = "whk_01jd8x2v5n7k3q9w4t6y8z0abc"


def settings(**fields: Any) -> EndpointSettings:
    return EndpointSettings(**{"url": "https://example.com/hooks", "event_types": ("job.completed",), **fields})


class Webhooks:
    """The webhook service on fakes."""

    def __init__(self) -> None:
        core = FakeCore()
        self.clock = core.clock
        self.store = core.ports.webhooks
        self.service = core.webhook_service

    def new(self, owner: str = "ada", **fields: Any) -> WebhookEndpoint:
        return self.service.create(owner, settings(**fields))[0]

    def rotate(self, endpoint: WebhookEndpoint, grace_seconds: int = GRACE_SECONDS) -> tuple[WebhookEndpoint, str]:
        return self.service.rotate_secret(endpoint.owner, endpoint.id, grace_seconds=grace_seconds)


@pytest.fixture
def webhooks() -> Webhooks:
    return Webhooks()


class TestSettings:
    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("url", ""),
            ("url", "x" * 2049),
            ("url", 5),
            ("event_types", ()),
            ("event_types", ("job.exploded",)),
            ("event_types", ("job.completed",) * 7),
            ("event_types", "job.completed"),
            ("pipelines", ()),
            ("include", ("prompt",)),
            ("description", "x" * 201),
        ],
    )
    def test_a_value_outside_its_bounds_is_refused(self, field: str, value: Any) -> None:
        with pytest.raises(ValidationError) as refusal:
            settings(**{field: value})
        assert len(refusal.value.errors()) == 1

    def test_a_url_is_stored_in_its_usual_form_and_lists_without_repetitions(self, webhooks: Webhooks) -> None:
        made = webhooks.new(
            url="HTTPS://EXAMPLE.com",
            event_types=("job.failed", "job.completed", "job.failed"),
            pipelines=("song", "poem", "song"),
        )
        assert made.url == "https://example.com/"
        assert made.event_types == (WebhookEventType.FAILED, WebhookEventType.COMPLETED)
        assert made.pipelines == ("song", "poem")

    def test_every_setting_that_breaks_a_rule_is_named_with_what_to_do(self, webhooks: Webhooks) -> None:
        with pytest.raises(InvalidInput) as refusal:
            webhooks.new(url="http://example.com/", pipelines=("poem", "opera"))
        assert {issue.field: issue.rule for issue in refusal.value.issues} == {
            "url": "must begin with https://",
            "pipelines": "must be names of pipelines: anthology, brief, poem, song",
        }
        assert webhooks.service.list_webhooks("ada") == []


class TestCreation:
    def test_a_webhook_begins_enabled_with_version_1_of_its_secret(self, webhooks: Webhooks) -> None:
        made, secret = webhooks.service.create("ada", settings())
        assert (made.version, made.status, made.secret_version) == (1, EndpointStatus.ENABLED, 1)
        assert secret is not None
        assert secret.startswith("whsec_")
        assert webhooks.service.get("ada", made.id) == made

    def test_an_owner_at_the_limit_must_delete_a_webhook_to_create_one(self, webhooks: Webhooks) -> None:
        made = [webhooks.new() for _ in range(ENDPOINTS_PER_OWNER)]
        with pytest.raises(Conflict, match="you have 20 webhooks, which is the limit; delete one first"):
            webhooks.new()
        webhooks.new("bob")
        webhooks.service.delete("ada", made[7].id)
        webhooks.new()

    def test_a_repeat_with_the_same_key_gets_the_same_webhook_and_secret(self, webhooks: Webhooks) -> None:
        first = webhooks.service.create("ada", settings(), idempotency_key="k")
        assert webhooks.service.create("ada", settings(), idempotency_key="k") == first
        assert len(webhooks.service.list_webhooks("ada")) == 1
        assert webhooks.service.create("ada", settings(), idempotency_key="another")[0].id != first[0].id
        assert webhooks.service.create("bob", settings(), idempotency_key="k")[0].id != first[0].id

    def test_a_repeat_at_the_limit_gets_the_first_webhook(self, webhooks: Webhooks) -> None:
        for _ in range(ENDPOINTS_PER_OWNER - 1):
            webhooks.new()
        first = webhooks.service.create("ada", settings(), idempotency_key="k")
        assert webhooks.service.create("ada", settings(), idempotency_key="k") == first
        with pytest.raises(Conflict):
            webhooks.service.create("ada", settings(), idempotency_key="another")
        webhooks.service.delete("ada", first[0].id)
        webhooks.service.create("ada", settings(), idempotency_key="another")  # the refused request claimed no key

    def test_a_repeat_after_a_rotation_does_not_tell_the_new_secret(self, webhooks: Webhooks) -> None:
        made, first_secret = webhooks.service.create("ada", settings(), idempotency_key="k")
        webhooks.rotate(made)
        assert webhooks.service.create("ada", settings(), idempotency_key="k")[1] == first_secret
        webhooks.rotate(made, grace_seconds=0)
        assert webhooks.service.create("ada", settings(), idempotency_key="k")[1] is None

    def test_a_key_of_another_request_is_refused(self, webhooks: Webhooks) -> None:
        webhooks.service.create("ada", settings(), idempotency_key="k")
        with pytest.raises(InvalidInput) as refusal:
            webhooks.service.create("ada", settings(description="new"), idempotency_key="k")
        assert refusal.value.code is ErrorCode.IDEMPOTENCY_KEY_REUSED

    def test_a_key_whose_webhook_was_deleted_is_refused(self, webhooks: Webhooks) -> None:
        made, _ = webhooks.service.create("ada", settings(), idempotency_key="k")
        webhooks.service.delete("ada", made.id)
        with pytest.raises(Conflict, match="was deleted; send a new key"):
            webhooks.service.create("ada", settings(), idempotency_key="k")


class TestUpdate:
    def test_an_update_changes_only_the_given_fields(self, webhooks: Webhooks) -> None:
        made = webhooks.new(description="old", pipelines=("poem",))
        webhooks.clock.advance(5)
        changed = webhooks.service.update("ada", made.id, {"pipelines": None, "url": "https://example.org"})
        assert (changed.version, changed.url, changed.pipelines) == (2, "https://example.org/", None)
        assert (changed.description, changed.event_types) == (made.description, made.event_types)
        assert (changed.created_at, changed.updated_at) == (made.created_at, webhooks.clock())

    def test_an_update_of_an_old_version_is_a_conflict(self, webhooks: Webhooks) -> None:
        made = webhooks.new()
        webhooks.service.update("ada", made.id, {"description": "first"}, expected_version=1)
        with pytest.raises(Conflict, match="at version 2, not 1"):
            webhooks.service.update("ada", made.id, {"description": "second"}, expected_version=1)

    def test_a_failure_that_is_counted_meanwhile_is_no_conflict_and_is_kept(self, webhooks: Webhooks) -> None:
        made = webhooks.new()
        failing = EndpointHealth(consecutive_failures=3, failing_since=webhooks.clock())
        failed = made.model_copy(update={"health": failing})
        change_endpoint(webhooks.store, "ada", made.id, lambda _: failed)
        changed = webhooks.service.update("ada", made.id, {"description": "new"}, expected_version=1)
        assert (changed.description, changed.health) == ("new", failing)

    def test_an_update_that_changes_nothing_makes_no_version(self, webhooks: Webhooks) -> None:
        made = webhooks.new()
        assert webhooks.service.update("ada", made.id, {"url": made.url, "status": "enabled"}) == made

    def test_an_empty_update_is_refused_with_the_possible_fields(self, webhooks: Webhooks) -> None:
        with pytest.raises(InvalidInput) as refusal:
            webhooks.service.update("ada", webhooks.new().id, {})
        (issue,) = refusal.value.issues
        assert issue.field == "body"
        assert issue.rule.endswith("url, eventTypes, pipelines, include, description, status")

    def test_a_url_that_breaks_a_rule_is_refused(self, webhooks: Webhooks) -> None:
        made = webhooks.new()
        with pytest.raises(InvalidInput, match="IP address"):
            webhooks.service.update("ada", made.id, {"url": "https://10.0.0.1/"})
        assert webhooks.service.get("ada", made.id) == made

    def test_its_owner_disables_a_webhook_and_enables_it_again(self, webhooks: Webhooks) -> None:
        made = webhooks.new()
        disabled = webhooks.service.update("ada", made.id, {"status": EndpointStatus.DISABLED})
        assert (disabled.disabled_reason, disabled.disabled_at) == (DisabledReason.OWNER, webhooks.clock())
        enabled = webhooks.service.update("ada", made.id, {"status": EndpointStatus.ENABLED})
        assert (enabled.status, enabled.disabled_reason, enabled.disabled_at) == (EndpointStatus.ENABLED, None, None)

    def test_enabling_ends_a_pause_and_forgets_the_failures(self, webhooks: Webhooks) -> None:
        made = webhooks.new()
        now = webhooks.clock()
        health = EndpointHealth(consecutive_failures=5, failing_since=now, paused_until=now, pause_seconds=60)
        paused = made.model_copy(update={"status": EndpointStatus.PAUSED, "health": health})
        change_endpoint(webhooks.store, "ada", made.id, lambda _: paused)
        enabled = webhooks.service.update("ada", made.id, {"status": EndpointStatus.ENABLED})
        assert (enabled.status, enabled.health) == (EndpointStatus.ENABLED, EndpointHealth())

    def test_an_endpoint_that_is_gone_keeps_its_reason_when_its_owner_disables_it(self, webhooks: Webhooks) -> None:
        made = webhooks.new()
        change_endpoint(
            webhooks.store, "ada", made.id, lambda found: found.disabled_for(DisabledReason.GONE, webhooks.clock())
        )
        disabled = webhooks.service.update("ada", made.id, {"status": EndpointStatus.DISABLED})
        assert disabled.disabled_reason is DisabledReason.GONE


class TestRotation:
    def test_a_rotation_returns_another_secret_and_tells_until_when_the_old_one_signs(self, webhooks: Webhooks) -> None:
        made, first = webhooks.service.create("ada", settings())
        rotated, second = webhooks.rotate(made)
        assert second != first
        assert [(key.version, key.ends_at) for key in rotated.keys_at(webhooks.clock())] == [
            (2, None),
            (1, webhooks.clock() + timedelta(hours=24)),
        ]
        webhooks.clock.advance(24 * 3600)
        assert [key.version for key in rotated.keys_at(webhooks.clock())] == [2]

    def test_a_rotation_without_grace_ends_every_older_secret(self, webhooks: Webhooks) -> None:
        made = webhooks.new()
        webhooks.rotate(made)
        rotated, _ = webhooks.rotate(made, grace_seconds=0)
        assert [key.version for key in rotated.signing_keys] == [3]

    def test_a_rotation_never_prolongs_an_older_secret(self, webhooks: Webhooks) -> None:
        made = webhooks.new()
        first, _ = webhooks.rotate(made, grace_seconds=60)
        webhooks.clock.advance(30)
        second, _ = webhooks.rotate(made)
        assert second.signing_keys[2] == first.signing_keys[1]

    def test_only_some_replaced_secrets_may_sign_at_once(self, webhooks: Webhooks) -> None:
        made = webhooks.new()
        for _ in range(MOST_REPLACED_SECRETS):
            webhooks.rotate(made, grace_seconds=60)
        with pytest.raises(Conflict, match=r"rotate after 12:01:00 UTC, or end them now with graceSeconds 0"):
            webhooks.rotate(made)
        webhooks.clock.advance(60)
        webhooks.rotate(made)


class TestOwnership:
    @pytest.mark.parametrize("endpoint_id", [UNKNOWN, "whk_x", "job_01jd8x2v5n7k3q9w4t6y8z0abc", "", "../x"])
    def test_an_unknown_webhook_is_not_found(self, webhooks: Webhooks, endpoint_id: str) -> None:
        self._not_found(webhooks, "ada", endpoint_id)

    def test_the_webhook_of_another_user_is_not_found(self, webhooks: Webhooks) -> None:
        theirs = webhooks.new("bob")
        self._not_found(webhooks, "ada", theirs.id)
        assert webhooks.service.list_webhooks("ada") == []
        assert webhooks.service.get("bob", theirs.id) == theirs

    def test_a_deleted_webhook_is_not_found(self, webhooks: Webhooks) -> None:
        made = webhooks.new()
        webhooks.service.delete("ada", made.id)
        self._not_found(webhooks, "ada", made.id)

    def _not_found(self, webhooks: Webhooks, owner: str, endpoint_id: str) -> None:
        for act in (
            lambda: webhooks.service.get(owner, endpoint_id),
            lambda: webhooks.service.update(owner, endpoint_id, {"description": "mine"}),
            lambda: webhooks.service.delete(owner, endpoint_id),
            lambda: webhooks.service.rotate_secret(owner, endpoint_id, grace_seconds=0),
        ):
            with pytest.raises(NotFound, match="was not found"):
                act()
