"""What functions read from their environment, when they first need it; docs/architecture.md lists every variable."""

from __future__ import annotations

import os
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator


class Settings(BaseModel):
    """Base: names are the variables' names in lower case; an empty variable counts as unset.

    Read here and not by pydantic-settings, which takes a tenth of a cold start to be able to read much else.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    @classmethod
    def read(cls) -> Self:
        """Raises pydantic's ValidationError, which names the variable."""
        variables = {name: os.environ.get(name.upper()) for name in cls.model_fields}
        return cls.model_validate({name: value for name, value in variables.items() if value})


class StorageSettings(Settings):
    table_name: str
    durable_table_name: str
    artefact_bucket: str


class RetentionSettings(Settings):
    """Seconds an ended job is kept; its events and checkpoints are stored for two days."""

    job_retention_seconds: int = Field(default=600, ge=1, le=86_400)
    failed_job_retention_seconds: int = Field(default=3600, ge=1, le=86_400)


class LogSettings(Settings):
    """How much of an event log is kept as single events."""

    log_max_events: int = 1000
    log_max_bytes: int = 262_144


class ModelSettings(Settings):
    """Which models may be named, and where they are."""

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


class ExecutionSettings(Settings):
    state_machine_arn_prefix: str = ""


class CreationSettings(Settings):
    job_creations_per_minute: int = 10


class StreamSettings(Settings):
    """Where streams are served, and how many of them for how long."""

    stream_url: str = ""
    streams_per_user: int = 5
    stream_window_seconds: float = 60
    stream_lease_seconds: float = 30
    heartbeat_seconds: float = 15


class TicketSettings(Settings):
    ticket_secret_arn: str


class IdentitySettings(Settings):
    """Whose tokens are accepted where no authorizer stands in front."""

    oidc_issuer: str
    oidc_audience: str
    oidc_jwks_url: str | None = None


class ConsoleSettings(Settings):
    """Where the console's page signs its users in: the client is the audience where it has no id of its own."""

    oidc_issuer: str
    oidc_audience: str
    console_client_id: str | None = None
    sign_in_origin: str | None = None
