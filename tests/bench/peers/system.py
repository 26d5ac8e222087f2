"""The interface of a measured system: how to create a job, and how to read its stream."""

from __future__ import annotations

import abc
import contextlib
from dataclasses import dataclass, field
from typing import Literal, Self

import httpx

from tests.bench.peers.process import Usage

What = Literal["text", "reset", "complete", "error", "forgotten", "other"]


class Unavailable(Exception):
    """This system cannot be measured on this machine; the message says why."""


@dataclass(frozen=True, slots=True)
class Asked:
    """An accepted job and the URL of its stream."""

    stream_url: str
    headers: dict[str, str] = field(default_factory=dict)
    status_url: str = ""


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event of `text/event-stream`; `id` is empty if it has none."""

    name: str
    id: str
    data: str

    @classmethod
    def parse(cls, block: str) -> Self:
        fields = {"event": "", "id": "", "data": ""}
        for line in block.split("\n"):
            name, _, value = line.partition(": ")
            if name in fields:
                fields[name] += value
        return cls(fields["event"], fields["id"], fields["data"])


class System(abc.ABC):
    """A context manager that starts the system with the model server at `model_url`. Raises: Unavailable."""

    name: str
    note: str = ""

    @abc.abstractmethod
    def running(self, model_url: str) -> contextlib.AbstractContextManager[None]: ...

    @abc.abstractmethod
    async def create(self, client: httpx.AsyncClient, user: int, subject: str) -> Asked:
        """Create one job about `subject` for one of the users 0 to 19."""

    @abc.abstractmethod
    def read(self, event: ServerEvent) -> tuple[What, str]:
        """Return what an event means, with the text that it adds or, for a reset, keeps."""

    @abc.abstractmethod
    def usage(self) -> Usage: ...

    @abc.abstractmethod
    def kill_worker(self) -> None:
        """Kill the job's worker with SIGKILL, and restart it as this system does."""

    async def ended(self, client: httpx.AsyncClient, asked: Asked) -> What | None:
        """Return how the job ended, if a connection ended without a terminal event; None: connect again."""
        return None
