"""Compare what jobs say that they have used with what was counted from the outside."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from shared.log.usage import ComputeUsage
from tools.cost.counts import Counts

TOLERANCE = 0.05
"""The largest difference, as a share of what was counted."""

TIMES = "GB-milliseconds"
"""What a busy machine decides: it may stop a process between the two clocks."""

STREAM = "stream_job"
"""The function whose milliseconds are not in a job's `lambdaGbMs`: it has those of its connections apart."""


def differences(counts: Counts, own: Sequence[ComputeUsage]) -> Mapping[str, float]:
    """Return by how much the jobs' own averages differ from the counts, as shares of the counts."""
    invoked = [each for name, each in counts.functions.items() if name != STREAM]
    pairs: dict[str, tuple[float, list[float]]] = {
        "transitions": (counts.transitions, [each.transitions for each in own]),
        "write units": (sum(use.write_units for use in counts.tables.values()), [each.write_units for each in own]),
        TIMES: (
            sum(each.gb_seconds() * 1000 for each in invoked),
            [each.lambda_gb_ms for each in own],
        ),
    }
    return {what: statistics.mean(said) / counted - 1 for what, (counted, said) in pairs.items()}


def disagreements(counts: Counts, own: Sequence[ComputeUsage], *, times: bool = True) -> Sequence[str]:
    """Return in words where the jobs' own numbers differ by more than TOLERANCE; `times`: also where TIMES do."""
    return [
        f"{counts.pipeline}: the jobs' own {what} differ by {share:+.1%} from what was counted"
        for what, share in differences(counts, own).items()
        if abs(share) > TOLERANCE and (times or what != TIMES)
    ]
