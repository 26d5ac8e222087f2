"""The common part of all peers: a separate environment, a folder, and services in it."""

from __future__ import annotations

import abc
import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.bench.peers.process import Service, Usage, tree, usage_of
from tests.bench.peers.system import Asked, ServerEvent, System, Unavailable, What

ROOT = Path(__file__).resolve().parents[3]
APPS = Path(__file__).parent / "apps"
ENVIRONMENTS = ROOT / ".venv-peers"


def prompt_about(subject: str) -> str:
    return f"Suggest what to make of this page: {subject}."


class Peer(System):
    """`environment`: its folder in .venv-peers, which `make bench-peers` fills from requirements/peers."""

    environment: str

    @contextlib.contextmanager
    def running(self, model_url: str) -> Iterator[None]:
        if not self.program("python").exists():
            raise Unavailable(f"not installed: there is no .venv-peers/{self.environment}")
        self.services: list[Service] = []
        with tempfile.TemporaryDirectory(prefix="millrace-peer-", ignore_cleanup_errors=True) as folder:
            # A database that runs as another user also stores its files here.
            Path(folder).chmod(0o755)
            try:
                self.start(Path(folder), model_url)
                yield
            finally:
                for service in reversed(self.services):
                    service.stop()

    @abc.abstractmethod
    def start(self, folder: Path, model_url: str) -> None:
        """Start its services. Raises Unavailable and NotStarted."""

    def begin(self, service: Service) -> Service:
        self.services.append(service)
        service.start()
        return service

    def program(self, name: str) -> Path:
        return ENVIRONMENTS / self.environment / "bin" / name

    def usage(self) -> Usage:
        return usage_of(pid for service in self.services for pid in tree(service.pid))


class WebPeer(Peer):
    """A web application of ours with `POST /jobs?prompt=` and `GET /jobs/{id}/stream`; `url` is set by `start`."""

    url: str

    async def create(self, client: httpx.AsyncClient, user: int, subject: str) -> Asked:
        answer = await client.post(f"{self.url}/jobs", params={"prompt": prompt_about(subject)})
        answer.raise_for_status()
        accepted: dict[str, Any] = answer.json()
        return Asked(f"{self.url}/jobs/{accepted['jobId']}/stream")

    def read(self, event: ServerEvent) -> tuple[What, str]:
        match event.name:
            case "token":
                # A JSON string of stamps and spaces: the text is between the quotes.
                return "text", event.data[1:-1]
            case "end":
                return "complete", ""
            case _:
                return "other", ""
