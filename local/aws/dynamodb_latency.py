"""How long DynamoDB takes to answer, as published, for a store on this machine that answers sooner.

The figures are Alex DeBrie's, 400 calls of each kind from a Lambda function beside the table, as its SDK saw them:
https://www.alexdebrie.com/posts/dynamodb-transactions-performance/. Of single reads AWS says no more than that they
take single-digit milliseconds, like single writes; they are taken to be as slow as those, which they are not.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Latency:
    """A distribution by some of its quantiles: (share of calls, milliseconds), from the fastest to the slowest."""

    quantiles: tuple[tuple[float, float], ...]

    def at(self, share: float) -> float:
        """Seconds within which this share of the calls is answered; straight lines between the quantiles."""
        for (below, low), (above, high) in itertools.pairwise(self.quantiles):
            if share <= above:
                return (low + (high - low) * (share - below) / (above - below)) / 1000
        raise ValueError(f"a share is at most 1, not {share}")


SINGLE = Latency(((0, 5.47), (0.5, 7.55), (0.9, 11.3), (0.95, 13.2), (0.99, 16.2), (1, 29)))
BATCH = Latency(((0, 6.59), (0.5, 8.14), (0.9, 13.3), (0.95, 15.4), (0.99, 25.5), (1, 56.8)))
TRANSACTION = Latency(((0, 19.4), (0.5, 25.3), (0.9, 30.7), (0.95, 36.4), (0.99, 92.5), (1, 218)))


def draw(operation: str) -> float:
    """Seconds that one call of the operation takes."""
    latency = {"BatchGetItem": BATCH, "BatchWriteItem": BATCH, "TransactWriteItems": TRANSACTION}.get(operation, SINGLE)
    return latency.at(random.random())  # noqa: S311 - nobody is to be kept from guessing it
