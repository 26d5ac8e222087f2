"""Read settings from environment variables when they are first needed; docs/architecture.md lists all of them."""

from __future__ import annotations

import os
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator


class Settings(BaseModel):
    """Base of all settings. A field has the name of its variable in lower case; an empty variable counts as unset.

    This class replaces pydantic-settings, whose import takes a tenth of a cold start.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    @classmethod
    def read(cls) -> Self:
        """Return the settings from the environment. Raises pydantic's ValidationError, which names the variable."""
        variables = {name: os.environ.get(name.upper()) for name in cls.model_fields}
        return cls.model_validate({name: value for name, value in variables.items() if value})


class StorageSettings(Settings):
    """The tables, and the bucket for large texts."""

    table_name: str
    durable_table_name: str
    artefact_bucket: str


class RetentionSettings(Settings):
    """How many seconds an ended job is kept, one day at most."""

    job_retention_seconds: int = Field(default=600, ge=1, le=86_400)
    failed_job_retention_seconds: int = Field(default=3600, ge=1, le=86_400)


class ArchiveSettings(Settings):
    """How many days ended jobs are readable, and those that are linked to something, and how long usage is kept.

    With 0 nothing is written.
    """

    archive_days: int = Field(default=30, ge=0, le=3650)
    archive_linked_days: int = Field(default=3650, ge=0, le=36500)
    usage_ledger_days: int = Field(default=400, ge=0, le=3650)


class LogSettings(Settings):
    """The size of an event log at which it is compacted (see `LogBounds`)."""

    log_max_events: int = 1000
    log_max_bytes: int = 262_144


class ModelSettings(Settings):
    """The available models, their provider and their prices."""

    default_model: str = ""
    allowed_models: tuple[str, ...] = ()
    openai_base_url: str | None = None
    model_api: Literal["chat_completions", "responses"] = "chat_completions"
    model_secret_arn: str = ""
    model_prices: str = "{}"
    model_token_timeout_seconds: float = 60

    @field_validator("allowed_models", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


class EngineSettings(Settings):
    """How many times the limits of `EngineLimits` a call of the engine may take."""

    engine_time_factor: int = Field(default=1, ge=1)


class ExecutionSettings(Settings):
    """The ARNs of the state machines: the prefix, which the name of the pipeline completes."""

    state_machine_arn_prefix: str = ""


class CreationSettings(Settings):
    """The cell in new job ids, one letter from a to z, and the limit on job creations of each user."""

    cell: str = Field(default="a", pattern="^[a-z]$")
    job_creations_per_minute: int = 10


class WriteSettings(Settings):
    """The limit on the requests of each user that write, for each operation; job creations have their own limit."""

    writes_per_minute: int = 30


class ErasureSettings(Settings):
    """The state machine that erases owners, and after how many seconds no earlier request can write any more.

    `log_retention_days` is how long logs are kept, and `sentry_dsn` where errors are reported to, both for the report.
    """

    erasure_state_machine_arn: str = ""
    erasure_settle_seconds: float = Field(default=3600, ge=0)
    log_retention_days: int = Field(default=14, ge=1)
    sentry_dsn: str = ""


class StreamSettings(Settings):
    """The address of the streaming endpoint, the streams of each user, and the times of a connection in seconds."""

    stream_url: str = ""
    streams_per_user: int = 5
    stream_window_seconds: float = 60
    stream_lease_seconds: float = 30
    heartbeat_seconds: float = 15


class ChannelSettings(Settings):
    """The address of the channel, its table, and its limits per user. Without both, a function announces nothing."""

    channel_url: str = ""
    channel_table_name: str = ""
    connections_per_user: int = 10
    connection_opens_per_minute: int = 30
    cors_origins: tuple[str, ...] = ("*",)

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


class TicketSettings(Settings):
    """The secret that signs tickets."""

    ticket_secret_arn: str


class WebhookSettings(Settings):
    """The secret from which those of webhook endpoints are derived, and the URLs that endpoints may have.

    Only the local stack sets `webhook_loopback`: endpoints may then be on this machine, at any port, without TLS.
    """

    webhook_secret_arn: str = ""
    webhook_ports: tuple[int, ...] = (443,)
    webhook_loopback: bool = False

    @field_validator("webhook_ports", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


class DeliverySettings(Settings):
    """The table and the queue of deliveries, the address of the API for the events, and the schedule.

    `webhook_waits` are the seconds before each attempt.
    """

    deliveries_table_name: str
    delivery_queue_url: str = ""
    api_url: str = ""
    webhook_waits: tuple[float, ...] = ()

    @field_validator("webhook_waits", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


class IdentitySettings(Settings):
    """The issuer and audience of accepted tokens, for functions without an authorizer."""

    oidc_issuer: str
    oidc_audience: str
    oidc_jwks_url: str | None = None


class ConsoleSettings(Settings):
    """How the console signs its users in, and where it sends files.

    Without `console_client_id`, its client id is `oidc_audience`. `aws_endpoint_url` and `aws_region` are AWS's own
    variables: if the first is set, files go there instead of to `upload_origin`. The local stack sets `scripted_model`
    if no provider answers but a script, which costs nothing.
    """

    oidc_issuer: str
    oidc_audience: str
    console_client_id: str | None = None
    sign_in_origin: str | None = None
    scripted_model: bool = False
    upload_origin: str | None = None
    aws_endpoint_url: str | None = None
    aws_region: str | None = None

    @property
    def aws_console(self) -> str | None:
        """Return the origin of AWS's console in the function's region; None where another server acts as AWS."""
        if self.aws_endpoint_url is not None or self.aws_region is None:
            return None
        return f"https://{self.aws_region}.console.aws.amazon.com"
