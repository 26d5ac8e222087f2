"""Count the model tokens that a job uses, and their cost."""

from __future__ import annotations

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
