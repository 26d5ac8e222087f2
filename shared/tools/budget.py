"""The limits of one tool loop."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Budget:
    """How much one loop may use before the model must give its last answer.

    `seconds` count from the start of the attempt; `tokens` are model tokens of all turns, None sets no limit. A call
    over `calls_per_turn` is not run. A result's `data` is at most `result_bytes`, and a turn with its text, all its
    calls and results at most `turn_bytes`, because it is kept as one item. A turn of the model that is longer ends the
    stage.
    """

    turns: int = 24
    calls: int = 60
    calls_per_turn: int = 8
    seconds: float = 540.0
    tokens: int | None = None
    result_bytes: int = 6_000
    turn_bytes: int = 56_000

    def spent(self, *, turns: int, calls: int, seconds: float, tokens: int) -> str | None:
        """Return which limit is reached, in words for the model and for people; None while none is."""
        if turns >= self.turns:
            return f"{self.turns} turns"
        if calls >= self.calls:
            return f"{self.calls} tool calls"
        if seconds >= self.seconds:
            return f"{self.seconds:g} seconds"
        if self.tokens is not None and tokens >= self.tokens:
            return f"{self.tokens} model tokens"
        return None
