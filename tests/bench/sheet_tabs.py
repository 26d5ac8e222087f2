"""Tabs that show a sheet: they keep its blocks, follow its session, and read again what an event names."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.apps.sheets.blocks import BLOCK_ROWS
from tests.api_user import ApiUser
from tests.follower import PING_SECONDS, Channel

Grid = Sequence[Sequence[Any]]

LONGEST_WAIT_SECONDS = 60.0
"""After this time without the event of a version, the bench fails and tells what it has received."""


@dataclass(slots=True)
class Kept:
    """A block that a client keeps: its ETag and its rows."""

    etag: str
    rows: Grid


@dataclass(slots=True)
class Blocks:
    """The blocks of a sheet that one client keeps, by their first row. `statuses` counts the responses to its reads."""

    user: ApiUser
    session_id: str
    sheet: str
    last_column: str
    kept: dict[int, Kept] = field(default_factory=dict)
    statuses: dict[int, int] = field(default_factory=lambda: {200: 0, 304: 0})

    def read(self, first_row: int) -> None:
        """Read a block; with its ETag if the client keeps it."""
        area = f"A{first_row}:{self.last_column}{first_row + BLOCK_ROWS - 1}"
        old = self.kept.get(first_row)
        response = self.user.api.get(
            f"/sessions/{self.session_id}/cells",
            params={"sheet": self.sheet, "range": area},
            headers={} if old is None else {"If-None-Match": old.etag},
        )
        self.statuses[response.status_code] += 1
        if response.status_code == 200:
            self.kept[first_row] = Kept(response.headers["ETag"], response.json()["data"]["rows"])

    def read_all(self, rows: int) -> None:
        """Read every block of a sheet of this many rows."""
        for first_row in range(1, rows + 1, BLOCK_ROWS):
            self.read(first_row)

    def stale(self, grid: Grid) -> list[int]:
        """Return the first rows of the kept blocks that do not have these cells."""
        return [first for first, kept in self.kept.items() if kept.rows != grid[first - 1 : first - 1 + BLOCK_ROWS]]


class Tab:
    """A client that follows the session over the channel. `needed` counts the blocks that it has shown.

    `show` runs in a thread, which `stop` ends when another part of the bench has failed.
    """

    def __init__(self, blocks: Blocks, channel: Channel, position: int) -> None:
        self.blocks = blocks
        self.needed = len(blocks.kept)
        self._channel = channel
        self._seen = position
        self._topic = f"session:{blocks.session_id}"
        self._received: deque[str] = deque(maxlen=5)
        self._held: dict[int, dict[str, Any]] = {}
        self._stopped = False
        channel.answer(channel.send("subscribe", topic=self._topic, after=position))

    def stop(self) -> None:
        """End a `show` that is waiting in another thread."""
        self._stopped = True

    def show(self, version: int, grid: Grid) -> float:
        """Wait for the event of the version, read what it names, and show all blocks; return when that was done.

        Raises AssertionError if a block that the tab shows does not have the cells of the grid, or if the event of the
        version does not come.
        """
        ends_at = time.monotonic() + LONGEST_WAIT_SECONDS
        while not (named := self._named(version)):
            assert not self._stopped, f"version {version}: stopped while waiting for its event"
            assert time.monotonic() < ends_at, self._missing(version)
        for first_row in sorted(set(named)):
            self.blocks.read(first_row)
        done = time.monotonic()
        self.needed += len(self.blocks.kept)
        assert not (stale := self.blocks.stale(grid)), f"version {version}: blocks {stale} are stale"
        return done

    def _missing(self, version: int) -> str:
        stored = self.blocks.user.api.get(f"/sessions/{self.blocks.session_id}").text
        return (
            f"no event of version {version} on {self._topic} within {LONGEST_WAIT_SECONDS:.0f} s; the last event was "
            f"number {self._seen}, the last messages were {list(self._received)}, and the session is {stored[:1000]}"
        )

    def _named(self, version: int) -> list[int]:
        """Return the blocks that the next message names, if it has the event of the version."""
        try:
            message = self._channel.receive(PING_SECONDS)
        except TimeoutError:
            self._channel.send("ping", positions={self._topic: self._seen})
            return []
        self._received.append(str(message)[:500])
        if message["type"] == "pong" and self._topic not in message["tails"]:
            self._channel.send("subscribe", topic=self._topic, after=self._seen)
        self._held |= {seq: event for seq, event in message.get("events", ()) if seq > self._seen}
        named: list[int] = []
        while (event := self._held.pop(self._seen + 1, None)) is not None:
            self._seen += 1
            if event["type"] == "version" and event["version"] == version:
                named += [block["row"] for block in event["blocks"]]
        # The session keeps its events for a day, so none of them may be replaced.
        assert all(event["type"] != "snapshot" for event in self._held.values()), f"{self._held} after {self._seen}"
        return named
