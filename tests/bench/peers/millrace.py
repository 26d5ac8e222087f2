"""Millrace's local stack, with threads to measure times and one process per function to kill a worker."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from typing import Literal

import httpx

from local.stack import WITHOUT_RATE_LIMITS, LocalStack
from tests.bench.peers.process import Usage, tree, usage_of
from tests.bench.peers.system import Asked, ServerEvent, System, Unavailable, What
from tests.bench.watched_job import INPUT, REQUEST
from tests.dynamodb_local.engine import DynamoDbLocal, missing

Store = Literal["moto", "DynamoDB's latency", "DynamoDB Local"]
OTHER_STORES: tuple[Store, ...] = ("DynamoDB's latency", "DynamoDB Local")
USERS = 20
_STAGE = "generate_suggestions"
_MEANINGS: dict[str, What] = {
    "delta": "text",
    "reset": "reset",
    "snapshot": "reset",
    "complete": "complete",
    "error": "error",
    "cancelled": "error",
}


class Millrace(System):
    """`model_api`: "chat_completions", or "responses", to which a retried stage can re-attach.

    `store`: moto's tables, the same with DynamoDB's published latency, or AWS's own engine.
    """

    def __init__(
        self, functions: Literal["threads", "processes"], model_api: str = "chat_completions", store: Store = "moto"
    ) -> None:
        suffix = "" if store == "moto" else f", {store}"
        self.name = f"Millrace ({'Responses API' if model_api == 'responses' else 'chat completions'}{suffix})"
        self.note = f"local stack on {store}, functions in {functions}"
        self._functions: Literal["threads", "processes"] = functions
        self._model_api = model_api
        self._store = store

    @contextlib.contextmanager
    def running(self, model_url: str) -> Iterator[None]:
        environment = {**WITHOUT_RATE_LIMITS, "MODEL_API": self._model_api}
        with contextlib.ExitStack() as open_until_done:
            self._engine = None
            if self._store == "DynamoDB Local":
                if reason := missing():
                    raise Unavailable(reason)
                self._engine = open_until_done.enter_context(DynamoDbLocal())
            self._stack = open_until_done.enter_context(
                LocalStack(
                    self._functions,
                    model_url=model_url,
                    model="scripted-1",
                    environment=environment,
                    dynamodb_url=self._engine.url if self._engine else None,
                    published_latency=self._store == "DynamoDB's latency",
                )
            )
            self._tokens = [self._stack.token(f"bench-{user}") for user in range(USERS)]
            yield

    async def create(self, client: httpx.AsyncClient, user: int, subject: str) -> Asked:
        headers = {"Authorization": f"Bearer {self._tokens[user]}"}
        wanted = {**REQUEST, "input": {**INPUT, "pageOrComponent": subject}}
        answer = await client.post(f"{self._stack.api_url}/jobs", json=wanted, headers=headers)
        answer.raise_for_status()
        return Asked(answer.json()["data"]["streamUrl"], headers)

    def read(self, event: ServerEvent) -> tuple[What, str]:
        what = _MEANINGS.get(event.name, "other")
        return what, json.loads(event.data)["text"] if what in {"text", "reset"} else ""

    def usage(self) -> Usage:
        engine = tree(self._engine.pid) if self._engine else []
        return usage_of([*self._stack.pids().values(), *engine])

    def kill_worker(self) -> None:
        for pid in self._stack.processes()[_STAGE]:
            os.kill(pid, signal.SIGKILL)
