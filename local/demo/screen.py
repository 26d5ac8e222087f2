"""What the demo writes: a live view on a terminal, plain lines of text anywhere else."""

from __future__ import annotations

import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

ACCENT: Final = "cyan"
MUTED: Final = "bright_black"
GOOD: Final = "green"
WARNING: Final = "yellow"
BAD: Final = "red"

_LABEL: Final = 10
_CLOCK: Final = 7
_WIDEST: Final = 96
_PANE: Final = 10
_HANG: Final = 6
_FRAMES_PER_SECOND: Final = 15

Paragraph = tuple[str, Text]
"""A short label, empty for a heading, and what stands beside it."""

Preview = Callable[[str], list[Paragraph]]


def printable(text: str) -> str:
    """Without anything that would steer a terminal: a model's text is nobody's command."""
    return "".join(each if each.isprintable() or each == "\n" else " " for each in text)


def terminal_console() -> Console:
    """Colours and cursor movement for a terminal that can do both; otherwise not one control character."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # an ASCII terminal must not end the demo
    capable = sys.stdout.isatty() and not Console().is_dumb_terminal
    # Given either way: FORCE_COLOR and the like would make rich take a pipe for a terminal.
    console = Console(force_terminal=capable, highlight=False, color_system="auto" if capable else None)
    console.width = min(console.width, _WIDEST)
    return console


def screen_for(console: Console, preview: Preview) -> Screen:
    return (LiveScreen if console.is_terminal else PlainScreen)(console, preview)


class Screen(ABC):
    """Shows one job. Times are counted from `start_clock`; until then lines carry a label in place of a time."""

    def __init__(self, console: Console, preview: Preview) -> None:
        self.console = console
        self._preview = preview
        self._began: float | None = None

    def start_clock(self) -> None:
        self._began = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the clock was started."""
        return 0 if self._began is None else time.monotonic() - self._began

    def label(self, name: str, value: str) -> None:
        """A fact: `name` in its column, `value` beside it."""
        self._print([(_LABEL, Text(name, MUTED))], Text(printable(value)))

    def event(self, kind: str, text: str | Text, style: str = "") -> None:
        """Something that happened, with the time at which it did."""
        precision = 2 if self.elapsed < 100 else 1
        clock = Text(f"{self.elapsed:5.{precision}f} s", MUTED)
        whole = Text(printable(text)) if isinstance(text, str) else text
        self._print([(_CLOCK, clock), (_LABEL, Text(kind, style))], whole)

    def costs(self, rows: Mapping[str, str]) -> None:
        self.console.print()
        for name, value in rows.items():
            self._print([(16, Text(name, MUTED))], Text(value))

    def failure(self, title: str, message: str, advice: str) -> None:
        """In red, with what the reader can do about it."""
        self.console.print()
        self.console.print(Text(printable(title), style=f"bold {BAD}"))
        self._print([], Text(printable(message), style=BAD))
        self._print([(4, Text("try", "bold"))], Text(printable(advice)))

    def _print(self, columns: list[tuple[int, Text]], value: Text) -> None:
        """Columns of fixed width, and beside them `value` in as many lines as it takes; no blanks at a line's end."""
        first = Text()
        for width, cell in columns:
            first.append(cell).append(" " * (width + 2 - len(cell)))
        for number, line in enumerate(self._wrapped(value, self.console.width - len(first))):
            self.console.print((first if number == 0 else Text(" " * len(first))) + line, soft_wrap=True)

    def _wrapped(self, text: Text, width: int) -> list[Text]:
        lines = list(text.wrap(self.console, max(20, width)))
        for line in lines:
            line.rstrip()
        return lines

    def _prose(self, text: str, width: int) -> list[Text]:
        """The preview of `text` in lines: labels on the left, what they label beside them."""
        prose: list[Text] = []
        for label, body in self._preview(text):
            indent = _HANG if label else 0
            for number, line in enumerate(self._wrapped(body, width - indent)):
                prose.append(Text.assemble((f"{label if number == 0 else '':<{indent}}", MUTED), line))
        return prose

    @abstractmethod
    def waiting(self, what: str) -> AbstractContextManager[object]:
        """While something takes its time before there is anything to show."""

    @abstractmethod
    def stage(self, name: str, index: int, of: int) -> None:
        """A stage begins."""

    @abstractmethod
    def text(self, whole: str, progress: float) -> None:
        """The text and the progress (0–100) as they now stand."""

    @abstractmethod
    def restart(self, whole: str, progress: float) -> None:
        """The text shown so far is void; `whole` stands in its place."""

    @abstractmethod
    def settle(self) -> None:
        """Nothing more will come: what was shown while waiting may go. Safe to call twice."""


class PlainScreen(Screen):
    """Lines that stay, each written once: a line of the text when the next one has begun."""

    def __init__(self, console: Console, preview: Preview) -> None:
        super().__init__(console, preview)
        self._text = ""
        self._progress = 0.0
        self._written = 0

    def waiting(self, what: str) -> AbstractContextManager[object]:
        return nullcontext(what)

    def stage(self, name: str, index: int, of: int) -> None:
        self.settle()
        self.event("stage", f"{index} of {of}: {_spaced(name)}")

    def text(self, whole: str, progress: float) -> None:
        self._text, self._progress = whole, progress
        self._write(complete=False)

    def restart(self, whole: str, progress: float) -> None:
        self.settle()
        self._text, self._progress = whole, progress
        self._written = len(self._lines())

    def settle(self) -> None:
        self._write(complete=True)

    def _lines(self) -> list[Text]:
        return self._prose(self._text, self.console.width - _CLOCK - _LABEL - 4) if self._text else []

    def _write(self, *, complete: bool) -> None:
        lines = self._lines()
        for line in lines[self._written : len(lines) if complete else len(lines) - 1]:
            self.event(f"{self._progress:3.0f} %", line)
            self._written += 1


class LiveScreen(Screen):
    """Events scroll by above; below them the text grows in a pane of fixed height over a progress bar."""

    def __init__(self, console: Console, preview: Preview) -> None:
        super().__init__(console, preview)
        self._text = ""
        self._progress = 0.0
        self._stage = "waiting for the first stage"
        self._live: Live | None = None

    def waiting(self, what: str) -> AbstractContextManager[object]:
        return self.console.status(Text(what, MUTED), spinner="dots", spinner_style=ACCENT)

    def start_clock(self) -> None:
        super().start_clock()
        self._live = Live(
            get_renderable=self._view,
            console=self.console,
            refresh_per_second=_FRAMES_PER_SECOND,
            transient=True,
        )
        self._live.start()

    def stage(self, name: str, index: int, of: int) -> None:
        self._stage = f"{_spaced(name)}, {index} of {of}"
        self.event("stage", f"{index} of {of}: {_spaced(name)}", ACCENT)

    def text(self, whole: str, progress: float) -> None:
        self._text, self._progress = whole, progress

    def restart(self, whole: str, progress: float) -> None:
        self.text(whole, progress)

    def settle(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _view(self) -> RenderableType:
        height = min(_PANE, max(1, self.console.height - 6))
        lines = self._prose(self._text, self.console.width - 6)[-height:] or [Text()]
        lines[-1].append("▌", ACCENT)
        lines += [Text()] * (height - len(lines))
        pane = Group(Text(), *(Text.assemble("  ", line) for line in lines), Text())
        return Group(pane, self._bar())

    def _bar(self) -> RenderableType:
        row = Table.grid(padding=(0, 2), expand=True)
        row.add_column(ratio=1)
        for _ in range(3):
            row.add_column(no_wrap=True)
        bar = ProgressBar(total=100, completed=self._progress, complete_style=ACCENT, finished_style=GOOD, style=MUTED)
        row.add_row(bar, f"{self._progress:3.0f} %", self._stage, Text(f"{self.elapsed:5.1f} s", MUTED))
        return row


def _spaced(name: str) -> str:
    return printable(name.replace("_", " "))


def numbered(count: float, noun: str) -> str:
    """`1 state`, `2 states`, `2.5 units`."""
    return f"{count:.12g} {noun}{'' if count == 1 else 's'}"
