"""Read server-sent events from bytes as they arrive, by the rules of the HTML standard, without any I/O.

The rules are those of https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream.
"""

from __future__ import annotations

import codecs


class SseReader:
    """Split a stream into its events: pairs of the event's type, "" if it names none, and its data.

    A field that only a reconnecting client needs (`id`, `retry`) is ignored. The lines that are no field of the
    standard are kept in `other_lines`: a server that sends an error page or a JSON document instead of a stream sends
    nothing else.
    """

    def __init__(self) -> None:
        self.data_lines: list[bytes] = []
        """The data of the event that has begun and has not ended."""
        self.other_lines: list[bytes] = []
        """The lines so far that are neither a field nor a comment."""
        self._type = ""
        self._open: list[bytes] = []
        self._after_cr = False
        self._mark = b""
        self._at_start = True

    def feed(self, data: bytes) -> list[tuple[str, str]]:
        """Read the bytes of one read, and return the events that end in them."""
        if self._at_start:
            data = self._without_mark(data)
        if self._after_cr and data.startswith(b"\n"):
            data = data[1:]
            self._after_cr = False
        if b"\r" in data:
            self._after_cr = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        elif data:
            self._after_cr = False
        self._open.append(data)
        if b"\n" not in data:
            return []
        lines = b"".join(self._open).split(b"\n")
        self._open = [lines.pop()]
        return self._events_of(lines)

    def end(self) -> list[tuple[str, str]]:
        """Return the event that the end of the stream left without its blank line.

        The standard drops it. A model server that leaves out the last blank line has sent the event, so it is kept.
        """
        return self.feed(b"\n\n")

    def _without_mark(self, data: bytes) -> bytes:
        """Drop a byte-order mark at the very beginning, which may arrive in several reads."""
        data = self._mark + data
        if len(data) < len(codecs.BOM_UTF8) and codecs.BOM_UTF8.startswith(data):
            self._mark = data
            return b""
        self._at_start = False
        return data.removeprefix(codecs.BOM_UTF8)

    def _events_of(self, lines: list[bytes]) -> list[tuple[str, str]]:
        events = []
        for line in lines:
            if line.startswith(b"data:"):
                self.data_lines.append(line[6:] if line.startswith(b" ", 5) else line[5:])
            elif line:
                self._take_other(line)
            else:
                if self.data_lines:
                    events.append((self._type, b"\n".join(self.data_lines).decode("utf-8", "replace")))
                    self.data_lines = []
                self._type = ""
        return events

    def _take_other(self, line: bytes) -> None:
        name, colon, value = line.partition(b":")
        if name == b"event":
            self._type = value.removeprefix(b" ").decode("utf-8", "replace")
        elif name == b"data" and not colon:
            self.data_lines.append(b"")
        elif name not in {b"", b"id", b"retry"}:
            self.other_lines.append(line)
