"""Define the wire models of the webhooks API, and convert endpoints to them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Path
from pydantic import MISSING, ConfigDict, Field, Strict

from shared.schema import Schema
from shared.webhooks.endpoint import (
    GRACE_SECONDS,
    Description,
    DisabledReason,
    EndpointSettings,
    EndpointStatus,
    EndpointUrl,
    EventTypes,
    Inclusions,
    PipelineNames,
    WebhookEndpoint,
)

WebhookId = Annotated[
    str, Path(alias="webhookId", description="the webhook's id, from the response that created it", max_length=64)
]


class NewWebhook(EndpointSettings):
    """The body of `POST /webhooks`: the settings of a new webhook."""

    # Clients send the API's names only. Other schemas also accept Python's names, such as `event_types`.
    model_config = ConfigDict(validate_by_name=False, defer_build=False)


class WebhookChanges(Schema):
    """The body of `PATCH /webhooks/{webhookId}`. Omit a field to keep it; send null to reset it to its default."""

    model_config = ConfigDict(validate_by_name=False, defer_build=False)

    url: EndpointUrl | MISSING = MISSING
    event_types: EventTypes | MISSING = MISSING
    pipelines: PipelineNames | MISSING | None = MISSING
    include: Inclusions | MISSING = MISSING
    description: Description | MISSING = MISSING
    status: Literal[EndpointStatus.ENABLED, EndpointStatus.DISABLED] | MISSING = Field(
        default=MISSING,
        description="`disabled` stops all requests; `enabled` ends that, and a pause, and forgets the failures",
    )
    version: int | None = Field(
        default=None,
        ge=1,
        le=2**31 - 1,
        description="the version that the changes are based on; a conflict if the webhook has a newer one",
    )


class SecretRotation(Schema):
    """The body of `POST /webhooks/{webhookId}/rotate-secret`, which may be omitted."""

    model_config = ConfigDict(validate_by_name=False, defer_build=False)

    grace_seconds: Annotated[int, Strict(), Field(ge=0, le=GRACE_SECONDS)] = Field(
        default=GRACE_SECONDS,
        description="how long the present secret signs besides the new one; 0 if it must not be used any more",
    )


class SecretVersion(Schema):
    """A version of the secret that signs now, without the secret itself. `endsAt` is null for the current one."""

    version: int
    ends_at: datetime | None


class WebhookDetail(EndpointSettings):
    """A webhook. `status` is `paused` for some time after several failures in a row.

    `consecutiveFailures`, `failingSince` and `pausedUntil` tell of failures since the last success.
    """

    webhook_id: str
    version: int
    status: EndpointStatus
    disabled_reason: DisabledReason | None = Field(
        description="`owner`: by request; `gone`: its server answered 410; `failing`: it failed for five days"
    )
    disabled_at: datetime | None
    consecutive_failures: int
    failing_since: datetime | None
    paused_until: datetime | None
    secrets: tuple[SecretVersion, ...] = Field(
        description="the versions of the secret that sign, the current one first"
    )
    created_at: datetime
    updated_at: datetime


class WebhookWithSecret(WebhookDetail):
    """A webhook with its new secret, which no other response contains.

    `secret` is null in the response to a repeated creation if the secret was replaced meanwhile.
    """

    secret: str | None = Field(description="verifies the signatures; store it where only the receiver can read it")


class WebhookList(Schema):
    """All webhooks of the user, newest first."""

    webhooks: tuple[WebhookDetail, ...]


class WebhookDeleted(Schema):
    """The id of the webhook that was deleted."""

    webhook_id: str


def detail(endpoint: WebhookEndpoint, now: datetime) -> WebhookDetail:
    """Return the wire model of an endpoint at this time."""
    shown = WebhookDetail.model_fields.keys() & WebhookEndpoint.model_fields.keys()
    return WebhookDetail(
        **{name: getattr(endpoint, name) for name in shown},
        webhook_id=endpoint.id,
        consecutive_failures=endpoint.health.consecutive_failures,
        failing_since=endpoint.health.failing_since,
        paused_until=endpoint.health.paused_until if endpoint.status is EndpointStatus.PAUSED else None,
        secrets=tuple(SecretVersion(version=key.version, ends_at=key.ends_at) for key in endpoint.keys_at(now)),
    )


def with_secret(endpoint: WebhookEndpoint, secret: str | None, now: datetime) -> WebhookWithSecret:
    """Return the wire model of an endpoint at this time, with its secret."""
    return WebhookWithSecret(**dict(detail(endpoint, now)), secret=secret)
