"""Writes what the demo shows: a live view on a terminal, plain lines of text elsewhere."""

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
"""A short label, empty for a heading, and the text beside it."""

Preview = Callable[[str], list[Paragraph]]


def printable(text: str) -> str:
    """Replace control characters by blanks, because a model's text must not control the terminal."""
    return "".join(each if each.isprintable() or each == "\n" else " " for each in text)


def terminal_console() -> Console:
    """Return a console with colours and cursor movement if the terminal has both, else without control characters."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # else an ASCII terminal raises
    capable = sys.stdout.isatty() and not Console().is_dumb_terminal
    # Always set, because variables such as FORCE_COLOR would make rich treat a pipe as a terminal.
    console = Console(force_terminal=capable, highlight=False, color_system="auto" if capable else None)
    console.width = min(console.width, _WIDEST)
    return console


def screen_for(console: Console, preview: Preview) -> Screen:
    """Return the screen for the kind of the console."""
    return (LiveScreen if console.is_terminal else PlainScreen)(console, preview)


class Screen(ABC):
    """Shows one job. Times count from `start_clock`; before it, lines have a label instead of a time."""

    def __init__(self, console: Console, preview: Preview) -> None:
        self.console = console
        self._preview = preview
        self._began: float | None = None

    def start_clock(self) -> None:
        self._began = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since `start_clock`; 0 before it."""
        return 0 if self._began is None else time.monotonic() - self._began

    def label(self, name: str, value: str) -> None:
        """Print a fact: `name` in its column, `value` beside it."""
        self._print([(_LABEL, Text(name, MUTED))], Text(printable(value)))

    def event(self, kind: str, text: str | Text, style: str = "") -> None:
        """Print an event with its time."""
        precision = 2 if self.elapsed < 100 else 1
        clock = Text(f"{self.elapsed:5.{precision}f} s", MUTED)
        whole = Text(printable(text)) if isinstance(text, str) else text
        self._print([(_CLOCK, clock), (_LABEL, Text(kind, style))], whole)

    def costs(self, rows: Mapping[str, str]) -> None:
        self.console.print()
        for name, value in rows.items():
            self._print([(16, Text(name, MUTED))], Text(value))

    def failure(self, title: str, message: str, advice: str) -> None:
        """Print a failure in red, with what the reader can do."""
        self.console.print()
        self.console.print(Text(printable(title), style=f"bold {BAD}"))
        self._print([], Text(printable(message), style=BAD))
        self._print([(4, Text("try", "bold"))], Text(printable(advice)))

    def _print(self, columns: list[tuple[int, Text]], value: Text) -> None:
        """Print columns of fixed width and `value` beside them, wrapped, without blanks at the end of a line."""
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
        """Return the preview of `text` in lines, with labels on the left."""
        prose: list[Text] = []
        for label, body in self._preview(text):
            indent = _HANG if label else 0
            for number, line in enumerate(self._wrapped(body, width - indent)):
                prose.append(Text.assemble((f"{label if number == 0 else '':<{indent}}", MUTED), line))
        return prose

    @abstractmethod
    def waiting(self, what: str) -> AbstractContextManager[object]:
        """Show what the demo waits for, until the end of the block."""

    @abstractmethod
    def stage(self, name: str, index: int, of: int) -> None:
        """Show the start of a stage."""

    @abstractmethod
    def text(self, whole: str, progress: float) -> None:
        """Show the complete text so far and the progress (0–100)."""

    @abstractmethod
    def restart(self, whole: str, progress: float) -> None:
        """Replace the text that was shown so far by `whole`."""

    @abstractmethod
    def settle(self) -> None:
        """End the live view. Calling it again has no effect."""


class PlainScreen(Screen):
    """Writes each line once: a line of the text as soon as the next line begins."""

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
    """Scrolls the events, and below them shows the end of the text in a pane, with a progress bar."""

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
    """Return a number with its noun, as in `1 state`, `2 states`, `2.5 units`."""
    return f"{count:.12g} {noun}{'' if count == 1 else 's'}"
