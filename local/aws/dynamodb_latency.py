"""Published response times of DynamoDB, to slow down a store on this machine, which responds sooner.

Alex DeBrie measured 400 calls of each kind in the SDK of a Lambda function in the table's region:
https://www.alexdebrie.com/posts/dynamodb-transactions-performance/. AWS promises single-digit milliseconds for single
reads and writes alike, so a read counts here as slow as a write, although it is faster.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Latency:
    """A distribution as quantiles (share of calls, milliseconds), in increasing order."""

    quantiles: tuple[tuple[float, float], ...]

    def at(self, share: float) -> float:
        """Return the seconds within which this share of the calls returns, interpolated between the quantiles."""
        for (below, low), (above, high) in itertools.pairwise(self.quantiles):
            if share <= above:
                return (low + (high - low) * (share - below) / (above - below)) / 1000
        raise ValueError(f"the share must be at most 1, but is {share}")


SINGLE = Latency(((0, 5.47), (0.5, 7.55), (0.9, 11.3), (0.95, 13.2), (0.99, 16.2), (1, 29)))
BATCH = Latency(((0, 6.59), (0.5, 8.14), (0.9, 13.3), (0.95, 15.4), (0.99, 25.5), (1, 56.8)))
TRANSACTION = Latency(((0, 19.4), (0.5, 25.3), (0.9, 30.7), (0.95, 36.4), (0.99, 92.5), (1, 218)))


def draw(operation: str) -> float:
    """Return a random duration of one call of the operation, in seconds."""
    latency = {"BatchGetItem": BATCH, "BatchWriteItem": BATCH, "TransactWriteItems": TRANSACTION}.get(operation, SINGLE)
    return latency.at(random.random())  # noqa: S311 - the value is not secret
