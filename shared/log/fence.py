"""Fencing tokens: which of two attempts at a job may still write."""

from __future__ import annotations

import secrets
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Fence:
    """The rank of one attempt; a later one compares greater.

    Step Functions hands every attempt its own `generation` (execution of the job), `stage` (place of the state in the
    pipeline, from 0) and `retry` (of that state), so an attempt that starts late still carries the rank it was given
    and cannot overtake its successor. `nonce` tells a repeat of the same write from another attempt of the same rank.
    """

    generation: int
    stage: int
    retry: int
    nonce: str

    @classmethod
    def of_attempt(cls, *, generation: int, stage: int, retry: int) -> Fence:
        return cls(generation, stage, retry, secrets.token_hex(4))

    @classmethod
    def of_resumption(cls, generation: int) -> Fence:
        """Above the generation before, below every attempt of this one."""
        return cls(generation, 0, 0, "")

    @property
    def is_resumption(self) -> bool:
        return not self.nonce

    @classmethod
    def parse(cls, text: str) -> Fence:
        generation, stage, retry, nonce = text.split(".")
        return cls(int(generation), int(stage), int(retry), nonce)

    def __str__(self) -> str:
        """Sorts as text exactly as the fence sorts: DynamoDB conditions compare strings."""
        return f"{self.generation:05d}.{self.stage:03d}.{self.retry:03d}.{self.nonce}"
