"""The agent: its owner's settings for a model, in numbered versions that never change."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

from pydantic import Field, Strict, StringConstraints

from shared.schema import Schema
from shared.texts import PLAIN_NAME, in_words
from shared.ulid import ALPHABET, new_ulid

AGENT_ID = re.compile(rf"agt_[{ALPHABET}]{{26}}")
"""Matches a whole agent id."""

AgentName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
GivenName = Annotated[AgentName, PLAIN_NAME]
"""The name that a request gives an agent."""
Instructions = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=8000)]
ModelName = Annotated[str, StringConstraints(min_length=1, max_length=128)]
# Strict, because pydantic would otherwise accept "0.5" and true as numbers.
Temperature = Annotated[float, Strict(), Field(ge=0, le=2, allow_inf_nan=False)]
MaxOutputTokens = Annotated[int, Strict(), Field(ge=1, le=100_000)]
ToolName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$"),
    in_words("must be the name of a tool: 1 to 64 letters, digits and underscores that begin with a letter"),
]
"""A name that a tool of any pipeline can have, in snake_case or camelCase; a name of no tool allows nothing."""
AllowedTools = Annotated[tuple[ToolName, ...], Field(max_length=64)]


def new_agent_id(milliseconds: int) -> str:
    """Return a new agent id; `milliseconds` is the Unix time of its creation."""
    return f"agt_{new_ulid(milliseconds)}"


class AgentRef(Schema):
    """One version of one agent."""

    agent_id: str
    version: int = Field(ge=1)


class AgentSettings(Schema):
    """The settings that an owner chooses for an agent. A null setting has its default."""

    name: AgentName = Field(description="a name for people; several agents may have the same name")
    instructions: Instructions = Field(
        description="added to the pipeline's own instructions, which the model gets first"
    )
    model: ModelName | None = Field(default=None, description="an allowed model; null for the default model")
    temperature: Temperature | None = Field(default=None, description="0 to 2; null for the provider's default")
    allowed_tools: AllowedTools | None = Field(
        default=None, description="names of the tools that the model may call; null for all tools of the pipeline"
    )
    max_output_tokens: MaxOutputTokens | None = Field(
        default=None,
        description="most tokens of one output; null for the provider's default. An output that is cut off is invalid",
    )


class Agent(AgentSettings):
    """One version of an agent, with its owner."""

    id: str
    owner: str
    version: int = Field(ge=1)
    created_at: datetime
    updated_at: datetime
    expires_at: int | None = Field(
        default=None,
        description="Unix seconds, of a replaced version or a deleted agent; from then on it no longer exists",
    )

    @property
    def ref(self) -> AgentRef:
        """Return the reference to this version."""
        return AgentRef(agent_id=self.id, version=self.version)

    @property
    def deleted(self) -> bool:
        """Return whether the owner has deleted the agent, of which this is the latest version."""
        return self.expires_at is not None
