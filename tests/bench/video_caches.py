"""`make bench-cache`: replay a chat of 25 messages that three tabs show; tell which caches their reads came from."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from local.stack import WITHOUT_RATE_LIMITS, LocalStack
from tests.api_user import AT_ONCE, ApiUser, data_of
from tests.apps.video.compiler_lane import PACKAGES
from tests.apps.video.requests import new_project, send

TARGET: Final = 0.90
"""Least share of the scenes read that a cache has."""
TABS: Final = 3
RELOADED_EVERY: Final = 5
"""After how many messages each tab is loaded again, and compares the scenes with those of the revision before."""
UNDONE_AFTER: Final = frozenset({12, 20})
"""After which messages the newest change is undone, and done again."""

TITLE: Final = "Call it Tidewater launch"
SESSION: Final[tuple[str, ...]] = (
    "A 12 second launch video for Tidewater in three scenes",
    "Make scene 2 faster",
    "Make scene 1 4 seconds",
    "Add a scene with our revenue as bars",
    "Move scene 4 before scene 2",
    "Make the title in scene 1 blue",
    "Add a scene with a quote of a customer",
    "Make scene 5 slower",
    "What can you do?",
    "Add an outro",
    "Make scene 6 3 seconds",
    "Make scene 3 twice as fast",
    "Delete scene 5",
    "Add a scene with a timeline of our history",
    "Move scene 6 to the start",
    "Make scene 2 a second longer",
    "Make the background of scene 3 dark",
    "Make scene 4 5 seconds",
    "Add a scene with three features",
    "Make scene 7 faster",
    "Thanks, that is great",
    "Delete scene 1",
    "Make scene 2 slower",
    "Make the title in scene 2 red",
    "Make scene 6 4 seconds",
)
"""What a person writes. Most of it needs no model: the length, the speed and the order of scenes."""

_CONSOLE = Console(width=110, highlight=False)


@dataclass(slots=True)
class Tab:
    """A page that shows a project as the console does. `shown` counts the scenes of its reads by where they came from.

    A browser keeps each response with its ETag, and one that never changes without asking again.
    """

    user: ApiUser
    project_id: str
    shown: Counter[str]
    etag: str = ""
    scenes: list[dict[str, Any]] = field(default_factory=list)
    revisions: dict[int, int] = field(default_factory=dict)

    def refresh(self) -> None:
        """Read the project if it has changed, as on focus and at the end of a job."""
        headers = {"If-None-Match": self.etag} if self.etag else {}
        response = self.user.api.get(f"/projects/{self.project_id}", params={"code": "true"}, headers=headers)
        if response.status_code == 304:
            self.shown["not modified (304)"] += len(self.scenes)
            return
        project = data_of(response)
        self.etag, self.scenes = response.headers["ETag"], project["scenes"]
        self.shown["server"] += len(self.scenes)
        for scene in self.scenes:
            if scene["code"] is None:
                data_of(self.user.api.get(f"/projects/{self.project_id}/scenes/{scene['sceneId']}"))

    def compare(self, revision: int) -> None:
        """Show the project as it was at a revision, which never changes."""
        if revision in self.revisions:
            self.shown["kept by the browser (immutable)"] += self.revisions[revision]
            return
        params = {"code": "true", "revision": str(revision)}
        project = data_of(self.user.api.get(f"/projects/{self.project_id}", params=params))
        self.revisions[revision] = len(project["scenes"])
        self.shown["server"] += len(project["scenes"])


def replay(user: ApiUser) -> Counter[str]:
    """Send the session's messages from the tabs in turn, and return how many scenes were shown from where."""
    shown: Counter[str] = Counter()
    project_id = str(new_project(user)["projectId"])
    tabs = [Tab(user, project_id, shown) for _ in range(TABS)]
    for tab in tabs:
        tab.refresh()
    for number, text in enumerate(SESSION, 1):
        sender = tabs[number % TABS]
        sent = send(user, project_id, text=f"{text} [[script: {AT_ONCE}]]" if _needs_model(text) else text)
        sender.refresh()
        job = user.ended(sent["jobId"])
        assert job["status"] == "completed", job["failure"]
        for tab in tabs:
            tab.refresh()
        if number in UNDONE_AFTER:
            undo_and_redo(user, project_id, tabs)
        if number % RELOADED_EVERY == 0:
            for tab in tabs:
                tab.refresh()
                tab.compare(_revision(tab) - 1)
                tab.compare(_revision(tab) - 1)
    return shown


def undo_and_redo(user: ApiUser, project_id: str, tabs: list[Tab]) -> None:
    newest = _revision(tabs[0])
    for revision in (newest - 1, newest):
        data_of(user.api.post(f"/projects/{project_id}/revert", json={"revision": revision}))
        for tab in tabs:
            tab.refresh()


def _needs_model(text: str) -> bool:
    # A rule reads whole messages only, so a directive to the scripted model would keep it from them.
    return not text.startswith(("Make scene", "Move scene", "Delete scene"))


def _revision(tab: Tab) -> int:
    return int(tab.etag.strip('"').removeprefix("rev-"))


def counted(folder: Path) -> dict[str, Counter[str]]:
    """Return the hits and misses of each kind of cache, as metrics tell them, by the function that counted them."""
    found: dict[str, Counter[str]] = {}
    for file in folder.glob("*.log"):
        for line in _metrics_of(file):
            for name in {"CacheHits", "CacheMisses"} & line.keys():
                found.setdefault(f"{line['kind']} {file.stem}", Counter())[name] += int(sum(line[name]))
    return found


def _metrics_of(file: Path) -> Iterator[dict[str, Any]]:
    for text in file.read_text(errors="replace").splitlines():
        if text.startswith('{"_aws"'):
            line: dict[str, Any] = json.loads(text)
            yield line


def report(shown: Counter[str], counts: dict[str, Counter[str]]) -> float:
    """Print the figures, and return the share of the scenes read that a cache had."""
    pages = {name: counts.get(f"version {name}", Counter()) for name in ("get_project", "get_scene")}
    stages = {
        name: counts.get(f"version {name}", Counter())
        for name in ("decide_tool", "brief_scenes", "make_scenes", "save_scenes")
    }
    rows = {kind: (number, 0) for kind, number in shown.items() if kind != "server"}
    for label, functions in (("the process of a request", pages), ("the process of a stage", stages)):
        hits, misses = (sum(each[name] for each in functions.values()) for name in ("CacheHits", "CacheMisses"))
        rows[f"versions kept by {label}"] = (hits, misses)
    table = Table(title=f"{len(SESSION)} messages, {TABS} tabs", title_justify="left")
    for heading in ("scenes and components read from", "hits", "misses", "share"):
        table.add_column(heading, justify="left" if heading.startswith("scenes") else "right")
    for label, (hits, misses) in rows.items():
        table.add_row(label, str(hits), str(misses), _share(hits, misses))
    hits, misses = (sum(each[index] for each in rows.values()) for index in (0, 1))
    table.add_row("all", str(hits), str(misses), _share(hits, misses))
    for kind in ("decision", "build"):
        others = [each for name, each in counts.items() if name.startswith(kind)]
        table.add_row(
            f"apart: {kind}s",
            *(str(sum(each[name] for each in others)) for name in ("CacheHits", "CacheMisses")),
            _share(*(sum(each[name] for each in others) for name in ("CacheHits", "CacheMisses"))),
        )
    _CONSOLE.print(table)
    _CONSOLE.print(f"load average: {os.getloadavg()[0]:.1f}")
    return hits / (hits + misses)


def _share(hits: int, misses: int) -> str:
    return f"{hits / (hits + misses):.1%}" if hits + misses else "–"


def main() -> int:
    """Print the figures; return 1 if fewer scenes than the target were read from caches."""
    parser = argparse.ArgumentParser(prog="make bench-cache", description=__doc__)
    parser.add_argument("--allowance", type=int, default=1, help="factor of the functions' time limits")
    given = parser.parse_args()
    if not PACKAGES.is_dir():
        _CONSOLE.print("the compiler of scenes is not installed: make video")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        logs = Path(folder)
        # Each function in its own process, as on Lambda: one process for all would find what another one has read.
        with LocalStack("processes", environment=WITHOUT_RATE_LIMITS, allowance=given.allowance, log_dir=logs) as stack:
            user = ApiUser(stack)
            try:
                shown = replay(user)
            finally:
                user.close()
        share = report(shown, counted(logs))
    _CONSOLE.print(f"{'reached' if share >= TARGET else 'missed'}: {share:.1%} of at least {TARGET:.0%}")
    return 0 if share >= TARGET else 1


if __name__ == "__main__":
    raise SystemExit(main())
