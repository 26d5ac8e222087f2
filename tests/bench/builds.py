"""`make bench-build`: build the scenes of the corpus again and again, and print how long each step takes."""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import time
from collections import defaultdict

from rich.console import Console
from rich.table import Table

from shared.apps.video.build.toolchain import deno_version, is_installed
from tests.apps.video.compiler_lane import CORPUS, build

TARGETS = {"p50": 120.0, "p95": 250.0}
"""Milliseconds of a build that succeeds."""
_CONSOLE = Console(width=110, highlight=False)


def main() -> int:
    """Print the figures; return 1 if a target is missed and `--check` asks for that."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="builds of each scene")
    parser.add_argument("--check", action="store_true", help="fail if a target is missed")
    arguments = parser.parse_args()
    if not is_installed():
        _CONSOLE.print("the compiler of scenes is not installed: make video")
        return 1
    good = [file.read_text() for file in sorted((CORPUS / "good").glob("*.tsx"))]
    broken = [file.read_text() for file in sorted((CORPUS / "broken").glob("*name*.tsx"))]
    build(good[0])
    table = Table(title=f"Builds with deno {deno_version()}, load {os.getloadavg()[0]:.1f}", title_justify="left")
    for heading in ("what", "builds", "p50 ms", "p95 ms", "CPU ms"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    whole = measure(table, "a scene of 90 frames", good, arguments.rounds)
    measure(table, "a scene of 300 frames", good, max(1, arguments.rounds // 3), frames=300)
    measure(table, "a broken one, with the type check", broken, 1)
    _CONSOLE.print(table)
    reached = {"p50": statistics.median(whole), "p95": percentile(whole, 0.95)}
    missed = [
        f"{name} {reached[name]:.0f} ms > {limit:.0f} ms" for name, limit in TARGETS.items() if reached[name] > limit
    ]
    _CONSOLE.print(f"missed: {', '.join(missed)}" if missed else "both targets are met: p50 120 ms, p95 250 ms")
    return 1 if missed and arguments.check else 0


def measure(table: Table, what: str, codes: list[str], rounds: int, *, frames: int = 90) -> list[float]:
    """Add rows for whole builds and for their steps, and return the milliseconds of the builds."""
    whole: list[float] = []
    steps: dict[str, list[float]] = defaultdict(list)
    before = cpu_seconds()
    for _ in range(rounds):
        for code in codes:
            began = time.perf_counter()
            report = build(code, frames=frames)
            whole.append((time.perf_counter() - began) * 1000)
            for step, duration in (report.milliseconds or {}).items():
                steps[step].append(duration)
    spent = (cpu_seconds() - before) / len(whole) * 1000
    table.add_row(what, str(len(whole)), *row(whole), f"{spent:.0f}")
    for step, milliseconds in steps.items():
        table.add_row(f"  {step}", str(len(milliseconds)), *row(milliseconds), "")
    return whole


def row(milliseconds: list[float]) -> tuple[str, str]:
    """Return the median and the 95th percentile."""
    return f"{statistics.median(milliseconds):.1f}", f"{percentile(milliseconds, 0.95):.1f}"


def percentile(values: list[float], share: float) -> float:
    """Return the smallest value that this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def cpu_seconds() -> float:
    """Return what this process and the processes that it has waited for have used."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


if __name__ == "__main__":
    raise SystemExit(main())
