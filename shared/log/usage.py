"""Count what a job uses of the model and of AWS, and hold the estimated price."""

from __future__ import annotations

from datetime import date
from typing import Final

from pydantic import Field

from shared.schema import Schema


class TokenUsage(Schema):
    """Model tokens and their cost; the cost is null if the price of the model is not known."""

    input_tokens: int = Field(default=0, ge=0)
    output_tokens: int = Field(default=0, ge=0)
    cached_input_tokens: int = Field(default=0, ge=0, description="of `inputTokens`, read from the provider's cache")
    reasoning_tokens: int = Field(default=0, ge=0, description="of `outputTokens`, spent on reasoning")
    unreported_calls: int = Field(
        default=0,
        ge=0,
        description="model calls whose tokens are not known; they are in no other count. "
        "An attempt whose function was killed counts as one call.",
    )
    cost_usd: float | None = Field(default=None, ge=0)

    @property
    def total_tokens(self) -> int:
        """Return the sum of input and output tokens."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: TokenUsage) -> TokenUsage:
        """Return the sum; its cost adds the known costs and is None if neither is known."""
        costs = [usage.cost_usd for usage in (self, other) if usage.cost_usd is not None]
        return TokenUsage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cached_input_tokens=self.cached_input_tokens + other.cached_input_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
            unreported_calls=self.unreported_calls + other.unreported_calls,
            cost_usd=sum(costs) if costs else None,
        )


UNREPORTED: Final = TokenUsage(unreported_calls=1)
"""What a call has used that ended before the provider told it."""


class ComputeUsage(Schema):
    """What a job has used of AWS: of Lambda, Step Functions, DynamoDB and S3. See docs/cost.md for what is counted.

    If `lostInvocations` is above 0, the numbers are at least what was used. The functions that stream the job to its
    watchers are counted when each connection ends, so also after the job's end.
    """

    lambda_ms: int = Field(default=0, ge=0, description="milliseconds of the functions that ran the job")
    lambda_gb_ms: float = Field(default=0, ge=0, description="these milliseconds times the gigabytes of each function")
    invocations: int = Field(default=0, ge=0, description="invocations of these functions")
    lost_invocations: int = Field(
        default=0,
        ge=0,
        description="invocations that were killed: what they used after their last write to the job is not known",
    )
    transitions: int = Field(default=0, ge=0, description="state transitions of the executions, with their retries")
    write_units: float = Field(default=0, ge=0, description="DynamoDB's write request units, with those of watchers")
    read_units: float = Field(default=0, ge=0, description="DynamoDB's read request units, with those of watchers")
    stored_bytes: int = Field(
        default=0, ge=0, description="bytes of events, outputs and files that were stored, also of those replaced later"
    )
    stored_objects: int = Field(default=0, ge=0, description="objects that were stored in S3")
    tool_calls: int = Field(default=0, ge=0, description="tool calls of the model that were carried out")
    watcher_seconds: float = Field(default=0, ge=0, description="seconds for which connections have streamed the job")
    watcher_gb_ms: float = Field(
        default=0, ge=0, description="the milliseconds of these connections times the gigabytes of their function"
    )

    def __add__(self, other: ComputeUsage) -> ComputeUsage:
        """Return the sum of each number."""
        names = ComputeUsage.model_fields
        return ComputeUsage(**{name: getattr(self, name) + getattr(other, name) for name in names})


class JobCost(Schema):
    """The estimated price of a job in US dollars: list prices of `region` on the day `pricesOf`, without free tiers.

    A number is null if it is not known. `awsUsd` is the sum of the five parts below it.
    """

    model_usd: float | None = Field(
        default=None, ge=0, description="the model's tokens, as `costUsd`; 0 if no model was called"
    )
    aws_usd: float | None = Field(default=None, ge=0)
    lambda_usd: float | None = Field(default=None, ge=0, description="the functions that ran the job")
    step_functions_usd: float | None = Field(default=None, ge=0)
    dynamodb_usd: float | None = Field(default=None, ge=0)
    storage_usd: float | None = Field(default=None, ge=0, description="the requests that stored objects in S3")
    watchers_usd: float | None = Field(default=None, ge=0, description="the function that streamed the job")
    region: str
    prices_of: date


class JobUsage(TokenUsage):
    """What a job has used: the model's tokens, AWS, and the estimated price of both."""

    compute: ComputeUsage | None = Field(
        default=None, description="what the job has used of AWS; null for a job of an earlier version"
    )
    cost: JobCost | None = Field(
        default=None, description="the estimated price; null in an event of an earlier version"
    )

    @property
    def tokens(self) -> TokenUsage:
        """Return the model's tokens alone."""
        return TokenUsage(**{name: getattr(self, name) for name in TokenUsage.model_fields})
