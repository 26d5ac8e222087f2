"""Fencing tokens: decide which of two attempts at a job may write."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

PARTS = "parts"
"""The nonce of every fence that the parts of a fan-out share."""


@dataclass(frozen=True, slots=True, order=True)
class Fence:
    """The rank of one attempt: the fence of a later attempt compares greater.

    Step Functions gives every attempt its `generation` (execution of the job, from 1), `stage` (index of the stage in
    the pipeline, from 0) and `retry` (of the stage, from 0). An attempt that starts late still has the rank it was
    given, so it cannot supersede its successor. `nonce` is random: it distinguishes a repeat of the same write from a
    write of another attempt with the same rank. Only the parts of a fan-out share a nonce, and so a fence.
    """

    generation: int
    stage: int
    retry: int
    nonce: str

    @classmethod
    def of_attempt(cls, *, generation: int, stage: int, retry: int) -> Fence:
        """Return the fence of one attempt, with a new nonce."""
        return cls(generation, stage, retry, secrets.token_hex(4))

    @classmethod
    def of_resumption(cls, generation: int) -> Fence:
        """Return the fence of a resumption: above the generation before, below every attempt of `generation`."""
        return cls(generation, 0, 0, "")

    @classmethod
    def of_parts(cls, *, generation: int, stage: int) -> Fence:
        """Return the fence that all parts of a fan-out share in one generation, in every attempt."""
        return cls(generation, stage, 0, PARTS)

    @property
    def is_resumption(self) -> bool:
        """Return whether this is the fence of a resumption."""
        return not self.nonce

    @property
    def rank(self) -> tuple[int, int, int]:
        """Return what Step Functions gave the attempt. Two invocations of one attempt differ in their nonces only."""
        return self.generation, self.stage, self.retry

    @classmethod
    def parse(cls, text: str) -> Fence:
        """Return the fence that `str(fence)` wrote."""
        generation, stage, retry, nonce = text.split(".")
        return cls(int(generation), int(stage), int(retry), nonce)

    def __str__(self) -> str:
        """Return a text that sorts in the same order as the fence, because DynamoDB conditions compare strings."""
        return f"{self.generation:05d}.{self.stage:03d}.{self.retry:03d}.{self.nonce}"
