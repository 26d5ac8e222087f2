"""DBOS in one process with its web application, on Postgres if it is installed, else on SQLite."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.bench.peers.peer import APPS, WebPeer
from tests.bench.peers.process import NotStarted, Service, free_port

_SERVER_USER = "nobody"
"""Postgres refuses to run as root."""


class Dbos(WebPeer):
    """`batch_ms`: the time between two writes of text; 0: every token is written at once."""

    environment = "dbos"

    def __init__(self, batch_ms: int) -> None:
        self._batch_ms = batch_ms
        self._on_postgres = all(shutil.which(tool) for tool in ("initdb", "postgres"))
        database = "Postgres" if self._on_postgres else "SQLite"
        self.name = f"DBOS on {database}, {f'a write per {batch_ms} ms' if batch_ms else 'a write per token'}"
        self.note = "the process is killed and started anew, and recovers the workflow that was pending"

    def start(self, folder: Path, model_url: str) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        database = self._postgres(folder) if self._on_postgres else f"sqlite:///{folder}/dbos.sqlite"
        environment = {
            "PORT": str(port),
            "MODEL_URL": model_url,
            "BATCH_MS": str(self._batch_ms),
            "SYSTEM_DATABASE_URL": database,
        }
        command = [str(self.program("python")), str(APPS / "dbos_app.py")]
        self._server = self.begin(Service(command, cwd=folder, ready=f"{self.url}/docs", environment=environment))

    def _postgres(self, folder: Path) -> str:
        user = _SERVER_USER if os.geteuid() == 0 else None
        data = folder / "postgres"
        data.mkdir(mode=0o700)
        if user is not None:
            shutil.chown(data, user)
        command = ["initdb", "-D", str(data), "-U", "bench", "--auth=trust", "--no-sync"]
        made = subprocess.run(command, cwd=data, user=user, capture_output=True, text=True, check=False)
        if made.returncode:
            raise NotStarted(f"initdb: {made.stderr.strip()}")
        port = free_port()
        options = ["-D", str(data), "-p", str(port), "-k", str(data), "-h", "127.0.0.1"]
        self.begin(Service(["postgres", *options], cwd=folder, ready=port, user=user))
        return f"postgresql://bench@127.0.0.1:{port}/bench"

    def kill_worker(self) -> None:
        self._server.kill()
        self._server.start()
