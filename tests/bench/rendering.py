"""`make bench-render`: render videos of 3, 15 and 60 seconds, and print how long they take and how much memory."""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import time
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from shared.apps.video.build.toolchain import is_installed
from shared.apps.video.rendering import programs
from shared.apps.video.rendering.chromium_renderer import ChromiumRenderer, Mp4Joiner
from shared.apps.video.rendering.chunks import divide
from shared.apps.video.rendering.plan import PlannedScene, RenderPlan
from shared.apps.video.scene import FORMATS
from tests.apps.video.compiler_lane import CORPUS, build

SECONDS = (3, 15, 60)
TARGET_SECONDS = 8.0
"""For 3 seconds of 720p on two cores, with the start of the browsers."""
TARGET_FACTOR = 1.25
"""How much longer a frame of a longer video may take than one of the shortest."""
SCENES = ("bars.tsx", "counter.tsx", "logo.tsx")
_CONSOLE = Console(width=110, highlight=False)


@dataclass(frozen=True, slots=True)
class Measured:
    """A video that was rendered: what it has, and how long each part of the work took, in seconds."""

    frames: int
    chunks: int
    total: float
    joining: float
    size: int
    renderer: str

    @property
    def milliseconds_per_frame(self) -> float:
        return self.total / self.frames * 1000


def main() -> int:
    """Print the figures; return 1 if a target is missed and `--check` asks for that."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, nargs="+", default=SECONDS, help="lengths of the videos")
    parser.add_argument("--check", action="store_true", help="fail if a target is missed")
    arguments = parser.parse_args()
    lacks = [*programs.missing(), *([] if is_installed() else ["the compiler of scenes (make video)"])]
    if lacks:
        _CONSOLE.print(f"missing: {', '.join(lacks)}")
        return 1
    codes = [_built(name) for name in SCENES]
    rows = [asyncio.run(measure(plan_of(codes, seconds))) for seconds in arguments.seconds]
    _CONSOLE.print(table_of(rows))
    missed = misses(rows)
    _CONSOLE.print(f"missed: {', '.join(missed)}" if missed else "all targets are met")
    return 1 if missed and arguments.check else 0


def _built(name: str) -> str:
    report = build((CORPUS / "good" / name).read_text(), frames=30)
    if report.build is None:
        raise SystemExit(f"{name} cannot be built: {report.errors}")
    return report.build.js_code


def plan_of(codes: list[str], seconds: int) -> RenderPlan:
    """Return a video of scenes of one second each."""
    scenes = tuple(
        PlannedScene(
            id=f"scn_01j00000000000000000000000-{number}",
            version=1,
            name=f"Scene {number}",
            code=codes[number % len(codes)],
            duration_in_frames=30,
        )
        for number in range(seconds)
    )
    return RenderPlan(format=FORMATS["landscape"], scenes=scenes)


async def measure(plan: RenderPlan) -> Measured:
    """Render and join all chunks of a video; as many at once as this machine has processors."""
    renderer, began = ChromiumRenderer(), time.perf_counter()
    chunks = await asyncio.gather(*(renderer.render(plan, chunk, {}) for chunk in divide(plan.frames)))
    drawn = time.perf_counter()
    video = await Mp4Joiner().join(plan, (chunk.content for chunk in chunks))
    ended = time.perf_counter()
    return Measured(
        frames=video.frames,
        chunks=len(chunks),
        total=ended - began,
        joining=ended - drawn,
        size=len(video.content),
        renderer=chunks[0].renderer,
    )


def table_of(rows: list[Measured]) -> Table:
    """Return the figures as a table."""
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    title = f"720p with {rows[0].renderer}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {memory:.0f} MiB"
    table = Table(title=title, title_justify="left")
    for heading in ("video, s", "frames", "chunks", "in all, s", "ms a frame", "joining, ms", "kB"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(
            f"{row.frames / 30:g}",
            str(row.frames),
            str(row.chunks),
            f"{row.total:.1f}",
            f"{row.milliseconds_per_frame:.0f}",
            f"{row.joining * 1000:.0f}",
            str(row.size // 1000),
        )
    return table


def misses(rows: list[Measured]) -> list[str]:
    """Return which targets are missed."""
    shortest = rows[0]
    found = []
    if shortest.frames == 90 and shortest.total > TARGET_SECONDS:
        found.append(f"3 s took {shortest.total:.1f} s, more than {TARGET_SECONDS:g} s")
    found += [
        f"{row.frames / 30:g} s took more than {TARGET_FACTOR:g} times as long for each frame"
        for row in rows[1:]
        if row.milliseconds_per_frame > TARGET_FACTOR * shortest.milliseconds_per_frame
    ]
    return found


if __name__ == "__main__":
    raise SystemExit(main())
