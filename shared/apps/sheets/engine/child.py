"""The engine's process: it holds one workbook, and answers one request after the other until its input ends.

It imports no more than it needs, because every workbook waits for it. Its parent may end at any time: then the input
ends, or the alarm of the request that it is computing ends the process.
"""

from __future__ import annotations

import json
import os
import resource
import signal
from collections.abc import Callable
from typing import Any, BinaryIO

from shared.apps.sheets.addresses import Area, Cell
from shared.apps.sheets.engine import changes
from shared.apps.sheets.engine.book import Book
from shared.apps.sheets.engine.frames import HEAD, OUT_OF_MEMORY, packed
from shared.apps.sheets.engine.refusal import Refused, Unsupported
from shared.apps.sheets.engine.version import ENGINE

Answer = tuple[dict[str, Any], bytes]

_GRACE = 1.0  # seconds after the parent's deadline


def main(memory: int) -> None:
    """Serve requests. `memory` is the limit of the address space in bytes."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    source, sink = _private_pipes()
    served = _Served()
    while (request := _request(source)) is not None:
        content, binary = request
        # The default action of this signal ends the process, also within a call of the engine.
        signal.setitimer(signal.ITIMER_REAL, content["seconds"] + _GRACE)
        try:
            answer = served.answer(content, binary)
        except MemoryError:
            os._exit(OUT_OF_MEMORY)
        signal.setitimer(signal.ITIMER_REAL, 0)
        sink.write(packed(*answer))
        sink.flush()


class _Served:
    """The workbook and what can be asked of it."""

    def __init__(self) -> None:
        self.book: Book | None = None

    def answer(self, content: dict[str, Any], binary: bytes) -> Answer:
        """Return the answer to a request: a result, or why there is none. A panic of the engine is no Exception."""
        calls: dict[str, Callable[[dict[str, Any], bytes], Answer]] = {
            "open": self.open,
            "load": self.load,
            "read": self.read,
            "apply": self.apply,
            "query": self.query,
            "scan": self.scan,
            "snapshot": self.snapshot,
            "filled": self.filled,
            "write": self.write,
        }
        try:
            return calls[content["call"]](content, binary)
        except Refused as refused:
            return {"refused": [refused.code, refused.message, refused.hint]}, b""
        except Unsupported as unsupported:
            return {"unsupported": str(unsupported)}, b""
        except MemoryError:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever it is, the parent decides
            return {"failed": f"{type(error).__name__}: {error}"[:500]}, b""

    def open(self, _content: dict[str, Any], binary: bytes) -> Answer:
        """Open a snapshot."""
        self.book = Book.of_snapshot(binary)
        return self._sheets(), b""

    def load(self, content: dict[str, Any], _binary: bytes) -> Answer:
        """Load a file."""
        from shared.apps.sheets.engine import loading  # noqa: PLC0415 - a third of all imports; most children only open

        self.book, report = loading.load(content["path"], content["format"], content["mode"])
        return {**self._sheets(), "report": report}, b""

    def read(self, content: dict[str, Any], _binary: bytes) -> Answer:
        """Read an area."""
        first_row, first_column, last_row, last_column = content["area"]
        area = Area(Cell(first_row, first_column), Cell(last_row, last_column))
        return {"rows": self._book().read(content["sheet"], area)}, b""

    def apply(self, content: dict[str, Any], _binary: bytes) -> Answer:
        """Apply changes."""
        book = self._book()
        applied = changes.apply(book, content["ops"])
        return {"applied": applied, **self._sheets()}, b""

    def query(self, content: dict[str, Any], _binary: bytes) -> Answer:
        """Run a query."""
        from shared.apps.sheets.engine import sql  # noqa: PLC0415

        return sql.run(self._book(), content["sql"], content["limit"], content["seconds"]), b""

    def scan(self, content: dict[str, Any], _binary: bytes) -> Answer:
        """Return digests and new blocks: the bytes are those of the blocks, one behind the other."""
        digests, new = self._book().scan(frozenset(content["known"]))
        return {"digests": digests, "new": [(digest, len(stored)) for digest, stored in new.items()]}, b"".join(
            new.values()
        )

    def snapshot(self, _content: dict[str, Any], _binary: bytes) -> Answer:
        """Return the snapshot."""
        return {}, self._book().snapshot()

    def filled(self, content: dict[str, Any], _binary: bytes) -> Answer:
        """Return the rows and columns that formulas fill."""
        return {"sizes": self._book().filled_sizes(content["sheet"], content["cells"])}, b""

    def write(self, content: dict[str, Any], _binary: bytes) -> Answer:
        """Write an XLSX file. The engine refuses to overwrite one, so the file must not exist."""
        from shared.apps.sheets.engine.xml_escapes import escape_invalid  # noqa: PLC0415

        self._book().model.save_to_xlsx(content["path"])
        escape_invalid(content["path"])
        return {}, b""

    def _book(self) -> Book:
        if self.book is None:
            raise ValueError("no workbook is open")
        return self.book

    def _sheets(self) -> dict[str, Any]:
        return {"sheets": self._book().infos(), "names": self._book().names(), "engine": ENGINE}


def _private_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Return the pipes to the parent, and leave nothing of them where a library could print."""
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return source, sink


def _request(source: BinaryIO) -> tuple[dict[str, Any], bytes] | None:
    head = source.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    length, binary = HEAD.unpack(head)
    content = source.read(length)
    body = source.read(binary)
    if len(content) < length or len(body) < binary:
        return None
    request: dict[str, Any] = json.loads(content)
    return request, body
