"""Read event logs from DynamoDB in an event loop."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from shared.log.event_log import EventLog, LogEntry
from shared.log.polls import LogPolls, ThreadPolls
from shared.storage import capacity
from shared.storage.attributes import to_item
from shared.storage.aws import loop_requests
from shared.storage.event_log import entries_after, range_after
from shared.storage.loop_requests import LoopRequests, NotSent


async def _pause() -> None:
    """Wait up to a second, as botocore does before its first retry."""
    await asyncio.sleep(random.random())  # noqa: S311 - spreads retries, no secret


class DynamoLogPolls:
    """The LogPolls on a DynamoDB table. A read that does not succeed at once is repeated in a thread, by `log`."""

    def __init__(
        self, table: str, log: EventLog, requests: LoopRequests, pause: Callable[[], Awaitable[object]] = _pause
    ) -> None:
        self._table = table
        self._requests = requests
        self._repeats = ThreadPolls(log)
        self._pause = pause

    async def read(self, job_id: str, *, after: int) -> Sequence[LogEntry]:
        condition, values = range_after(job_id, after)
        query: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": to_item(values),
        }
        began = time.perf_counter()
        try:
            page = await self._requests.send("Query", capacity.asking("Query", query))
        except NotSent as fault:
            if fault.passing:
                await self._pause()
            return await self._repeats.read(job_id, after=after)
        capacity.count("Query", page, began)
        if "LastEvaluatedKey" in page:
            return await self._repeats.read(job_id, after=after)
        return entries_after(page["Items"], after)


def log_polls(table: str, log: EventLog) -> LogPolls:
    """Return the LogPolls of a table; those that read in threads if a proxy is between."""
    requests = loop_requests()
    return ThreadPolls(log) if requests is None else DynamoLogPolls(table, log, requests)
