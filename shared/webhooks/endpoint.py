"""The webhook endpoint: where its owner is told of which events, and how the deliveries to it go."""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self, TypeVar

from pydantic import AfterValidator, Field, Strict, StringConstraints, model_validator

from shared.schema import Schema
from shared.ulid import ALPHABET, new_ulid

T = TypeVar("T")

ENDPOINT_ID = re.compile(rf"whk_[{ALPHABET}]{{26}}")
"""Matches a whole endpoint id."""

MOST_URL_CHARACTERS = 2_048
"""The longest URL of an endpoint."""

GRACE_SECONDS = 24 * 3600
"""How long a replaced secret still signs, at most and by default."""


class WebhookEventType(StrEnum):
    """What an endpoint can be told of a job."""

    CREATED = "job.created"
    STARTED = "job.started"
    COMPLETED = "job.completed"
    FAILED = "job.failed"
    CANCELLED = "job.cancelled"
    RESUMED = "job.resumed"


class Inclusion(StrEnum):
    """What an event can contain besides the facts of its job."""

    RESULT = "result"


class EndpointStatus(StrEnum):
    """Whether events are sent to an endpoint: at once, after a pause, or not at all."""

    ENABLED = "enabled"
    PAUSED = "paused"
    DISABLED = "disabled"


class DisabledReason(StrEnum):
    """Why nothing is sent to an endpoint: its owner, a response 410, or days of failures have disabled it."""

    OWNER = "owner"
    GONE = "gone"
    FAILING = "failing"


def _not_empty(values: tuple[T, ...]) -> tuple[T, ...]:
    """Return the values. An item that is not valid breaks its own rule only, because this is not called then."""
    if not values:
        raise ValueError("must have at least 1 item")
    return values


_AT_LEAST_ONE = Field(json_schema_extra={"minItems": 1})

EndpointUrl = Annotated[str, StringConstraints(min_length=1, max_length=MOST_URL_CHARACTERS)]
EventTypes = Annotated[
    tuple[WebhookEventType, ...], Field(max_length=len(WebhookEventType)), AfterValidator(_not_empty), _AT_LEAST_ONE
]
PipelineNames = Annotated[tuple[str, ...], Field(max_length=50), AfterValidator(_not_empty), _AT_LEAST_ONE]
Inclusions = Annotated[tuple[Inclusion, ...], Field(max_length=len(Inclusion))]
Description = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
SecretVersion = Annotated[int, Strict(), Field(ge=1)]


def new_endpoint_id(milliseconds: int) -> str:
    """Return a new endpoint id; `milliseconds` is the Unix time of its creation."""
    return f"whk_{new_ulid(milliseconds)}"


class EndpointSettings(Schema):
    """The settings that an owner chooses for an endpoint."""

    url: EndpointUrl = Field(
        description="the address that gets the events by POST: https, with the name of a host that is public"
    )
    event_types: EventTypes = Field(description="the types of the events that are sent")
    pipelines: PipelineNames | None = Field(
        default=None, description="the pipelines whose jobs the events are about; null for all pipelines"
    )
    include: Inclusions = Field(
        default=(),
        description="`result` puts a completed job's result of at most 16 kB into its event; without it, events have "
        "no input and no output of a job",
    )
    description: Description = Field(default="", description="a text for people")


class SigningKey(Schema):
    """One version of an endpoint's secret: `master_key` is the number of the master key that it is derived from.

    A replaced version signs until `ends_at`; the current version has no end.
    """

    version: SecretVersion
    master_key: int = Field(ge=1)
    ends_at: datetime | None = None


class EndpointHealth(Schema):
    """How the latest deliveries to an endpoint went. All is empty after a success.

    `pause_seconds` is the length of the latest pause, and `paused_until` its end.
    """

    consecutive_failures: int = Field(default=0, ge=0)
    failing_since: datetime | None = None
    paused_until: datetime | None = None
    pause_seconds: int = Field(default=0, ge=0)


class WebhookEndpoint(EndpointSettings):
    """An endpoint with its owner, its secrets and its state.

    `version` counts what the owner has changed. `revision` names the latest write of the stored endpoint.
    `signing_keys` has the current version of the secret first, then the replaced ones, newest first.
    """

    id: str
    owner: str
    version: int = Field(default=1, ge=1)
    revision: str = ""
    signing_keys: tuple[SigningKey, ...] = Field(min_length=1)
    status: EndpointStatus = EndpointStatus.ENABLED
    disabled_reason: DisabledReason | None = None
    disabled_at: datetime | None = None
    health: EndpointHealth = EndpointHealth()
    created_at: datetime
    updated_at: datetime

    @model_validator(mode="after")
    def _disabled_for_a_reason(self) -> Self:
        if (self.status is EndpointStatus.DISABLED) != (self.disabled_reason is not None):
            raise ValueError("an endpoint has a reason exactly if it is disabled")
        return self

    @property
    def secret_version(self) -> int:
        """Return the number of the current version of the secret."""
        return self.signing_keys[0].version

    @property
    def disabled(self) -> bool:
        """Return whether nothing may be sent to the endpoint."""
        return self.status is EndpointStatus.DISABLED

    def wants(self, event_type: WebhookEventType, pipeline: str) -> bool:
        """Return whether the endpoint is told of this type of event of a job of the pipeline."""
        return event_type in self.event_types and (self.pipelines is None or pipeline in self.pipelines)

    def keys_at(self, now: datetime) -> tuple[SigningKey, ...]:
        """Return the versions of the secret that sign at this time, the current one first."""
        return tuple(key for key in self.signing_keys if key.ends_at is None or key.ends_at > now)

    def disabled_for(self, reason: DisabledReason, now: datetime) -> WebhookEndpoint:
        """Return the endpoint as it is when it is disabled. One that is disabled already keeps its reason."""
        if self.disabled:
            return self
        changed = {"status": EndpointStatus.DISABLED, "disabled_reason": reason, "disabled_at": now}
        return self.model_copy(update=changed)

    def enabled(self) -> WebhookEndpoint:
        """Return the endpoint as it is when it is enabled, with no failure counted."""
        changed = {"status": EndpointStatus.ENABLED, "disabled_reason": None, "disabled_at": None}
        return self.model_copy(update={**changed, "health": EndpointHealth()})
