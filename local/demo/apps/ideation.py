"""What the demo shows of the application `ideation`: ideas by genre, a second watcher, and the run after its job."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic_core import from_json
from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from local.api.client import JobsClient, Refused
from local.demo.pipeline import Accepted, Extras, PipelineDemo
from local.demo.screen import ACCENT, GOOD, MUTED, WARNING, Paragraph, Screen, numbered, printable
from local.interrupts import interrupts_deferred
from local.stack import ROOT, LocalStack
from shared.apps.ideation.models import Idea, Ideation, IdeationInput, path_name
from shared.apps.ideation.pipeline import PIPELINE
from shared.apps.ideation.web import RunDetail
from shared.log.events import Item, StreamEvent
from shared.log.transcript import Transcript
from shared.web.runs import RunAccepted

PATH: Final = "/ideations"
LONGEST_WAIT: Final = 120.0
"""Seconds in which the second process receives the rest of its events, on a busy machine."""


class RunExtras(Extras):
    """Counts ideas by genre, lets a second process watch half-way, and reads the run after its job has expired."""

    def __init__(self, stack: LocalStack, client: JobsClient, screen: Screen) -> None:
        super().__init__(stack, client, screen)
        self._runs = client.runs(PATH, RunDetail)
        self._seen: list[dict[str, Any]] = []
        self._joined_after = 0
        self._second: subprocess.Popen[bytes] | None = None
        try:
            with interrupts_deferred():
                self._second = self._start_second()
            _read_line(self._second)  # until it is ready: then it is not late, also on a busy machine
        except BaseException:
            self.close()
            raise

    def on_acceptance(self, job: Accepted) -> None:
        assert isinstance(job, RunAccepted)  # noqa: S101 - IdeationDemo.create returns it
        self._run = job
        self._genres = self._runs.get(job.run_id).genres

    def on_event(self, number: int, event: StreamEvent, now: Transcript) -> None:
        self._seen.append({"id": number, "event": event.model_dump(mode="json")})
        if not isinstance(event, Item):
            return
        found = Counter(tuple(item.data["genrePath"]) for item in now.items.values())
        counts = (f"{each.genre_path[-1]} {found[tuple(each.genre_path)]}/{each.planned}" for each in self._genres)
        total = sum(each.planned for each in self._genres)
        self.screen.event("idea", f"{found.total()} of {total}: {', '.join(counts)}", GOOD)
        if not self._joined_after and found.total() * 2 >= total:
            self._joined_after = number
            self._join()
            self.screen.event("joined", f"a second process begins to watch after {found.total()} ideas", WARNING)

    def on_completion(self) -> None:
        screen = self.screen
        screen.console.print()
        screen.label("watchers", self._comparison())
        screen.label("run", self._run.run_url)
        self._expire_the_job()
        run = self._runs.get(self._run.run_id)
        counts = ", ".join(f"{each.genre_path[-1]} {each.found}" for each in run.genres)
        screen.label("", f"its job has expired (here at once): GET {self._run.status_url} is 404")
        screen.label("", f"the run stays {run.status}, with {numbered(len(run.ideas), 'idea')}: {counts}")

    def close(self) -> None:
        if self._second is not None:
            self._second.kill()
            self._second.communicate()

    def _start_second(self) -> subprocess.Popen[bytes]:
        """Return a process that waits for the URL of a stream.

        It follows over the WebSocket channel, and this process over the stream: both receive the same.
        """
        environment = {**os.environ, "MILLRACE_TOKEN": self.stack.token("demo")}
        return subprocess.Popen(
            [sys.executable, "-m", "local.demo.watch", "--channel", self.stack.channel_url],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,  # so that `communicate` returns everything after the lines that were read before
            start_new_session=True,  # so that Ctrl-C reaches the demo only, which stops this process
        )

    def _join(self) -> None:
        """Return when the second process is connected, so that it receives the rest of the events live."""
        assert self._second is not None and self._second.stdin is not None  # noqa: S101, PT018 - it is a pipe
        with contextlib.suppress(BrokenPipeError):  # it has ended, which `_comparison` shows
            self._second.stdin.write(f"{self._run.stream_url}\n".encode())
        _read_line(self._second)

    def _comparison(self) -> str:
        if not self._joined_after:
            return "this process only"
        assert self._second is not None  # noqa: S101 - only `close` is called without it
        lines, _ = self._second.communicate(timeout=LONGEST_WAIT)
        received = [event for event in map(json.loads, lines.splitlines()) if event["id"] is not None]
        late = sum(event["id"] <= self._joined_after for event in received)
        if received != self._seen:
            return f"the second process received other events: {len(received)} instead of {len(self._seen)}"
        kinds = Counter(event["event"]["type"] for event in received)
        what = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
        return (
            f"the second process, which joined over the WebSocket channel after event {self._joined_after}, received "
            f"the same {len(received)} events in the same order: {late} stored, {len(received) - late} live ({what})"
        )

    def _expire_the_job(self) -> None:
        """Let the job expire: ten minutes are too long to wait for. Raises ClientError, but not for its absence."""
        self.stack.expire(self._run.job_id)
        try:
            self.client.get(self._run.job_id)
        except Refused as refused:
            if refused.status != 404:
                raise


class IdeationDemo(PipelineDemo):
    """Ten ideas for a podcast series, in three genres."""

    pipeline = PIPELINE
    path = PATH
    extras = RunExtras

    def __init__(self, directive: str | None = None) -> None:
        self._input = IdeationInput(
            platform="podcast series",
            genre_paths=[["Fiction", "Mystery", "Cozy"], ["Science", "Oceans"], ["History"]],
            genre_proportions=[45, 35, 20],
            requirements="Each works for listeners who begin in the middle."
            + (f" [[script: {directive}]]" if directive else ""),
            idea_count=10,
        )

    @property
    def summary(self) -> str:
        asked = self._input
        shares = zip(asked.genre_paths, asked.genre_proportions, strict=True)
        genres = ", ".join(f"{share:g} % {path_name(path)}" for path, share in shares)
        return f"{asked.idea_count} ideas for a {asked.platform}: {genres}"

    @property
    def job_input(self) -> Mapping[str, Any]:
        return self._input.model_dump(mode="json", exclude_none=True)

    @property
    def body(self) -> Mapping[str, Any]:
        return self.job_input

    def create(self, client: JobsClient) -> RunAccepted:
        return client.runs(PATH, RunDetail).create(self.job_input)

    def preview(self, text: str) -> list[Paragraph]:
        """Read each line of the text as an idea; the last line may be incomplete."""
        return [each for number, line in enumerate(text.split("\n"), start=1) for each in _paragraphs(number, line)]

    def cards(self, result: Mapping[str, Any]) -> Iterator[RenderableType]:
        made = Ideation.model_validate(result)
        for share in made.genres:
            ideas = [idea for idea in made.ideas if idea.genre_path == share.genre_path]
            title = f" {path_name(share.genre_path)}: {share.found} of {share.planned} ({share.proportion:g} %) "
            yield Panel(
                Group(*(_line(idea) for idea in ideas)),
                title=Text(printable(title), style=f"bold {ACCENT}"),
                title_align="left",
                box=box.ROUNDED,
                border_style=MUTED,
            )


def _read_line(process: subprocess.Popen[bytes]) -> None:
    """Wait until the process has written a line or has ended."""
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    process.stdout.readline()


def _paragraphs(number: int, line: str) -> Iterator[Paragraph]:
    try:
        idea = from_json(line, allow_partial="trailing-strings")
    except ValueError:
        return
    if isinstance(idea, dict):
        for name, label in (("title", ""), ("logline", "line"), ("description", "what")):
            if value := idea.get(name):
                text = printable(str(value))
                yield label, Text(f"{number}  {text}", style=f"bold {ACCENT}") if not label else Text(text)


def _line(idea: Idea) -> Text:
    return Text.assemble(
        (printable(f"{idea.number:2}  {idea.title}"), "bold"), "\n", printable(f"    {idea.logline}"), overflow="fold"
    )


DEMOS: Final = (IdeationDemo,)
