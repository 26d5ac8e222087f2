"""Write the table of one run as the Markdown lines that docs/bench.md quotes."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from tests.bench.peers.losses import Losses
from tests.bench.peers.measuring import CONCURRENT, Killed, Measured, Speed
from tests.bench.watched_job import TOKENS, percentile

HEADINGS = (
    "system",
    "create p50/p95 ms",
    "added to first delta p50/p95 ms",
    "lag p50/p99 ms",
    f"jobs/s at {CONCURRENT} (lag p50/p99 ms)",
    "CPU s per job",
    "memory MB",
    "reconnects, paced: lost / repeated",
    "at full speed",
    "worker killed with -9: ends, lost / repeated, model calls",
)
UNMEASURED = "–"


def two(values: Sequence[float], high: int) -> str:
    """Return a median and a percentile, with a decimal if they are small."""
    pair = statistics.median(values), percentile(values, high)
    return " / ".join(f"{value:.1f}" if value < 10 else f"{value:.0f}" for value in pair)


def row(name: str, measured: Measured) -> list[str]:
    return [
        name,
        *speed_cells(measured.speed),
        dropped_cell(measured.paced),
        dropped_cell(measured.at_full_speed),
        killed_cell(measured.killed),
    ]


def speed_cells(speed: Speed | None) -> list[str]:
    if speed is None:
        return [UNMEASURED] * 6
    return [
        two([seen.create_ms for seen in speed.alone], 95),
        two([seen.added_to_first_delta_ms for seen in speed.alone], 95),
        two([lag for seen in speed.alone for lag in seen.lags_ms], 99),
        f"{speed.jobs_per_second:.1f} ({two([lag for seen in speed.together for lag in seen.lags_ms], 99)})",
        f"{speed.cpu_seconds_per_job:.2f}",
        f"{speed.megabytes:.0f}",
    ]


def dropped_cell(losses: Sequence[Losses]) -> str:
    if not losses:
        return UNMEASURED
    return f"{sum(losses, Losses())} of {len(losses) * TOKENS}"


def killed_cell(killed: Sequence[Killed]) -> str:
    """Return one outcome per kill, equal ones only once."""
    told = []
    for each in killed:
        waited = f"in {each.seconds:.1f} s" if each.end != "never" else f"({each.seconds:.0f} s waited)"
        calls = f"{each.model_calls} call{'s' * (each.model_calls != 1)}"
        reset = ", with a reset" if each.resets else ""
        told.append(f"{each.end} {waited}, {each.losses}, {calls}{reset}")
    return "; ".join(dict.fromkeys(told)) or UNMEASURED


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Return the table's lines; a row with fewer cells than headings gives the reason in its second cell."""
    lines = [HEADINGS, ["---"] * len(HEADINGS), *(tuple(each) + ("",) * (len(HEADINGS) - len(each)) for each in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
