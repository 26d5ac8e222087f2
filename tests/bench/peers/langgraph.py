"""LangGraph's in-memory development server, with a resumable run that its client joins."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import httpx

from tests.bench.peers.peer import APPS, Peer, prompt_about
from tests.bench.peers.process import Service, free_port
from tests.bench.peers.system import Asked, ServerEvent, What

_CONCURRENT = 20
_ENDINGS: dict[str, What] = {"success": "complete", "error": "error", "timeout": "error", "interrupted": "error"}


class LangGraph(Peer):
    name = "LangGraph development server"
    note = (
        "langgraph dev, 20 jobs per worker so that 20 run at once; killed and started anew in the same folder, from "
        "what it had written of its memory"
    )
    environment = "langgraph"

    def start(self, folder: Path, model_url: str) -> None:
        shutil.copy(APPS / "langgraph_app.py", folder)
        config = {"dependencies": ["."], "graphs": {"job": "./langgraph_app.py:graph"}}
        (folder / "langgraph.json").write_text(json.dumps(config))
        port = free_port()
        self._url = f"http://127.0.0.1:{port}"
        options = ["--no-browser", "--no-reload", "--port", str(port), "--n-jobs-per-worker", str(_CONCURRENT)]
        self._server = self.begin(
            Service(
                [str(self.program("langgraph")), "dev", *options, "--server-log-level", "WARNING"],
                cwd=folder,
                ready=f"{self._url}/ok",
                environment={
                    "MODEL_URL": model_url,
                    "LANGSMITH_TRACING": "false",
                    "LANGCHAIN_TRACING_V2": "false",
                    "LANGGRAPH_CLI_NO_ANALYTICS": "1",
                    "PYTHONUNBUFFERED": "1",
                },
            )
        )

    async def create(self, client: httpx.AsyncClient, user: int, subject: str) -> Asked:
        thread = (await client.post(f"{self._url}/threads", json={})).raise_for_status().json()["thread_id"]
        wanted = {
            "assistant_id": "job",
            "input": {"prompt": prompt_about(subject)},
            "stream_mode": ["custom"],
            "stream_resumable": True,
            "on_disconnect": "continue",
        }
        answer = (await client.post(f"{self._url}/threads/{thread}/runs", json=wanted)).raise_for_status()
        run = f"{self._url}/threads/{thread}/runs/{answer.json()['run_id']}"
        # From the beginning: without an id what came before the connection is not sent.
        return Asked(f"{run}/stream?stream_mode=custom", {"Last-Event-ID": "-1"}, status_url=run)

    def read(self, event: ServerEvent) -> tuple[What, str]:
        match event.name:
            case "custom":
                return "text", json.loads(event.data)["text"]
            case "error":
                return "error", ""
            case _:
                return "other", ""

    async def ended(self, client: httpx.AsyncClient, asked: Asked) -> What | None:
        answer = await client.get(asked.status_url)
        if answer.status_code == 404:
            return "forgotten"
        return _ENDINGS.get(answer.json().get("status", ""))

    def kill_worker(self) -> None:
        self._server.kill()
        self._server.start()
