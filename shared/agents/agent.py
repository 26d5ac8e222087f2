"""The agent: how a model shall do its owner's jobs, in numbered versions that never change."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

from pydantic import Field, Strict, StringConstraints

from shared.schema import Schema
from shared.ulid import ALPHABET, new_ulid

AGENT_ID = re.compile(rf"agt_[{ALPHABET}]{{26}}")

AgentName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
Instructions = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=8000)]
ModelName = Annotated[str, StringConstraints(min_length=1, max_length=128)]
# Strict: "0.5" and true are not numbers.
Temperature = Annotated[float, Strict(), Field(ge=0, le=2, allow_inf_nan=False)]
MaxOutputTokens = Annotated[int, Strict(), Field(ge=1, le=100_000)]


def new_agent_id(milliseconds: int) -> str:
    return f"agt_{new_ulid(milliseconds)}"


class AgentRef(Schema):
    """One version of one agent."""

    agent_id: str
    version: int = Field(ge=1)


class AgentSettings(Schema):
    """What an owner decides about an agent; what is null is left to the job and to the model's provider."""

    name: AgentName = Field(description="for people; need not be unique")
    instructions: Instructions = Field(description="added to what the pipeline tells the model, which goes first")
    model: ModelName | None = Field(default=None, description="of the allow-list; null: the default model")
    temperature: Temperature | None = Field(default=None, description="null: the provider's default")
    max_output_tokens: MaxOutputTokens | None = Field(
        default=None, description="of one answer; null: the provider's default. An answer that is cut off fails"
    )


class Agent(AgentSettings):
    """One version of an agent, with whom it belongs to."""

    id: str
    owner: str
    version: int = Field(ge=1)
    created_at: datetime
    updated_at: datetime
    expires_at: int | None = Field(default=None, description="Unix seconds; a deleted agent is gone from then on")

    @property
    def ref(self) -> AgentRef:
        return AgentRef(agent_id=self.id, version=self.version)

    @property
    def deleted(self) -> bool:
        return self.expires_at is not None
