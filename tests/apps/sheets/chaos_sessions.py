"""The sessions of sheet jobs in chaos: how they are made, and what is stored of them at the end."""

from __future__ import annotations

import asyncio
import io
import json
from typing import Any

import httpx
import openpyxl

from local.stack import LocalStack
from tests.api_user import data_of
from tests.apps.sheets.requests import CSV
from tests.chaos.application import Subject, Topic
from tests.chaos.stored_items import stored_items
from tests.chaos.story import JobStory
from tests.patience import PATIENCE

ROWS: list[list[Any]] = [["region", "amount"], ["North", 120.5], ["South", 80], ["North", 99.5]]
"""The cells of every session's file."""
EDITED = 200
"""What the owner writes to B3 before an export."""


def xlsx_file() -> bytes:
    """Return a workbook with ROWS and their sum in B5."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Sheet1"
    for row in [*ROWS, ["total", "=SUM(B2:B4)"]]:
        sheet.append(row)
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


async def uploaded(_stack: LocalStack, api: httpx.AsyncClient, _page: str) -> dict[str, Any]:
    """Create a session whose file is uploaded, and return the field that links a job to it."""
    return await _uploaded(api, "sales.xlsx", xlsx_file())


async def loaded(_stack: LocalStack, api: httpx.AsyncClient, _page: str) -> dict[str, Any]:
    """Create a session whose file is loaded."""
    return await _loaded(api, await _uploaded(api, "sales.csv", CSV))


async def edited(stack: LocalStack, api: httpx.AsyncClient, page: str) -> dict[str, Any]:
    """Create a session whose file is loaded and has one change."""
    fields = await _loaded(api, await uploaded(stack, api, page))
    body = {"sheet": "Sheet1", "cells": [{"at": "B3", "value": EDITED}]}
    data_of(await api.patch(f"{path_of(fields)}/cells", json=body), 200)
    return fields


async def _uploaded(api: httpx.AsyncClient, name: str, content: bytes) -> dict[str, Any]:
    created = data_of(await api.post("/sessions", json={"file": {"name": name, "bytes": len(content)}}), 201)
    target = created["upload"]
    async with httpx.AsyncClient(timeout=PATIENCE, trust_env=False) as bucket:
        answer = await bucket.put(target["url"], content=content, headers=target["headers"])
    assert answer.status_code == 200, answer.text
    return {"links": {"sessionId": created["sessionId"]}}


async def _loaded(api: httpx.AsyncClient, fields: dict[str, Any]) -> dict[str, Any]:
    job_id = data_of(await api.post(f"{path_of(fields)}/load"), 202)["jobId"]
    async with asyncio.timeout(PATIENCE):
        while True:
            status = data_of(await api.get(f"/jobs/{job_id}"))["status"]
            if status == "completed":
                return fields
            assert status in {"pending", "in_progress"}
            await asyncio.sleep(0.2)


def path_of(subject: Subject) -> str:
    """Return the path of the session to which the job is linked."""
    return f"/sessions/{subject['links']['sessionId']}"


def also_shown(subject: Subject) -> dict[str, str]:
    """Return the operations that show the session."""
    return {"session": path_of(subject), "messages": f"{path_of(subject)}/messages"}


async def stored_versions(stack: LocalStack, api: httpx.AsyncClient, story: JobStory) -> dict[str, Any]:
    """Return the session's stored versions, oldest first, and the cells of the newest one if they can be read."""
    versions = [
        item for sort, item in await _items(stack, "DurableTable", story.subject) if sort.startswith("VERSION#")
    ]
    return {"versions": versions, "cells": await _cells(api, story)}


async def exported_rows(stack: LocalStack, api: httpx.AsyncClient, story: JobStory) -> dict[str, Any]:
    """Return the same, and the formulas and values of the file that the job has written, as openpyxl reads them."""
    found = await stored_versions(stack, api, story)
    url = (story.shown["result"] or {}).get("downloadUrl")
    if url is None:
        return found
    async with httpx.AsyncClient(timeout=PATIENCE, trust_env=False) as bucket:
        content = (await bucket.get(url)).raise_for_status().content
    read = {only: openpyxl.load_workbook(io.BytesIO(content), data_only=only)["Sheet1"] for only in (False, True)}
    formulas, values = ([[cell.value for cell in row] for row in read[only].iter_rows()] for only in (False, True))
    return {**found, "formulas": formulas, "values": values}


async def _cells(api: httpx.AsyncClient, story: JobStory) -> list[list[Any]] | None:
    """Return the values of A1:F6, row by row; None if the session has no workbook that can be read."""
    answer = await api.get(f"{path_of(story.subject)}/cells", params={"sheet": "Sheet1", "range": "A1:F6"})
    if answer.status_code == 409:
        return None
    rows = data_of(answer)["rows"]
    return [[cell["value"] if isinstance(cell, dict) else cell for cell in row] for row in rows]


async def _items(stack: LocalStack, table: str, subject: Subject) -> list[tuple[str, Any]]:
    return await asyncio.to_thread(_read, stack, table, subject)


def _read(stack: LocalStack, table: str, subject: Subject) -> list[tuple[str, Any]]:
    """Return sort key and content of the session's items in this table, in their order."""
    items = stored_items(stack, table, f"SESSION#{subject['links']['sessionId']}")
    return [(item["SK"]["S"], json.loads(item["body"]["S"])) for item in items if "body" in item]


def _events(stack: LocalStack, subject: Subject) -> list[tuple[int, dict[str, Any]]]:
    """Return the session's stored events with their numbers: an item has the number of its last one."""
    numbered = []
    for sort, events in _read(stack, "JobsTable", subject):
        first = int(sort.removeprefix("EVT#")) - len(events) + 1
        numbered += list(enumerate(events, start=first))
    return numbered


SESSION_TOPIC = Topic(of=lambda subject: f"session:{subject['links']['sessionId']}", stored=_events)
