"""What the demo shows of the application `sheets`: a workbook is uploaded, asked, changed, undone and exported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from random import Random
from typing import Any, Final

import httpx
from pydantic import ConfigDict
from rich import box
from rich.console import RenderableType
from rich.panel import Panel
from rich.text import Text

from local.api.client import JobsClient
from local.demo.pipeline import Accepted, Extras, PipelineDemo
from local.demo.screen import ACCENT, BAD, GOOD, MUTED, Paragraph, printable
from local.demo.xlsx import Rows, xlsx_of
from local.loopback import is_loopback
from shared.apps.sheets.models import SheetAnswer
from shared.apps.sheets.pipeline import SHEET_CHAT
from shared.apps.sheets.web import SessionDetail, SessionWithUpload
from shared.apps.sheets.workbook import ChangedRange
from shared.log.events import Complete, StreamEvent, Tool
from shared.log.transcript import Transcript
from shared.schema import Schema
from shared.web.jobs import JobAccepted

FILE: Final = "sales.xlsx"
ROWS: Final = 400
QUESTIONS: Final = (
    "What is the total of Units by Region?",
    "What is the average Price per Product?",
    "Find “late”",
)
CHANGE: Final = "Please add a column Revenue = Units * Price"
_REGIONS: Final = ("North", "South", "East", "West")
_PRODUCTS: Final = ("Bolt", "Anvil", "Clamp", "Gasket", "Spring")
_XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def workbook() -> bytes:
    """Return the demo's workbook: 400 sales below a title, and a sheet with notes. It is the same each time."""
    random = Random(1)  # noqa: S311 - the same workbook each time
    sales: list[list[Any]] = [["Sales of 2026"], [], ["Date", "Region", "Product", "Units", "Price"]]
    for number in range(ROWS):
        day = date(2026, 1, 1) + timedelta(days=number * 365 // ROWS)
        sales.append(
            [
                day,
                random.choice(_REGIONS),
                random.choice(_PRODUCTS),
                random.randint(1, 60),
                random.randint(100, 9_900) / 100,
            ]
        )
    sheets: dict[str, Rows] = {
        "Sales": sales,
        "Notes": [["Prices are without tax."], ["The anvils of March came late."]],
    }
    return xlsx_of(sheets)


class Undone(Schema):
    """What the demo shows of the version that an undo makes."""

    model_config = ConfigDict(extra="ignore")
    version: int
    changed: tuple[ChangedRange, ...] = ()


class SessionExtras(Extras):
    """Shows each tool step, asks two more questions, lets the model change the workbook, undoes that and exports it."""

    def on_acceptance(self, job: Accepted) -> None:
        """Print the session that the job is about."""
        self._job = job
        session_id = self.client.get(job.job_id).links.session_id
        self._session = self.client.call(SessionDetail, "GET", f"/sessions/{session_id}")
        sheets = ", ".join(f"{each.name} ({each.rows} rows)" for each in self._session.sheets)
        self.screen.event("session", f"{self._session.session_id} is {self._session.state}: {sheets}", GOOD)

    def on_event(self, _number: int, event: StreamEvent, _now: Transcript) -> None:
        """Print the steps of the first answer."""
        self._show(event)

    def on_completion(self) -> None:
        path = f"/sessions/{self._session.session_id}"
        for question in (*QUESTIONS[1:], CHANGE):
            self._ask(path, question)
        self._undo(path)
        self._export(path)

    def _ask(self, path: str, question: str) -> None:
        self.screen.event("asked", question, ACCENT)
        job = self.client.call(JobAccepted, "POST", f"{path}/messages", json={"text": question})
        result = self._followed(job)
        if result is not None:
            for line in SheetAnswer.model_validate(result).text.splitlines():
                self.screen.label("", line)
        self.screen.label("cost", self.cost_of(job.job_id))

    def _undo(self, path: str) -> None:
        undone = self.client.call(Undone, "POST", f"{path}/undo")
        where = ", ".join(f"{each.sheet}!{each.range}" for each in undone.changed)
        said = f"the whole answer is undone by version {undone.version}, which changes {where}"
        self.screen.event("undo", said, GOOD)

    def _export(self, path: str) -> None:
        job = self.client.call(JobAccepted, "POST", f"{path}/exports", json={"format": "xlsx"})
        result = self._followed(job)
        if result is None:
            return
        with _bucket(result["downloadUrl"]) as http:
            response = http.get(result["downloadUrl"]).raise_for_status()
        losses = ", ".join(result.get("losses") or []) or "nothing is lost"
        self.screen.event("export", f"{len(response.content):,} bytes, {losses}", GOOD)

    def _followed(self, job: JobAccepted) -> dict[str, Any] | None:
        """Show the steps of a job and return its result; None if it has none."""
        for received in self.client.follow(job.stream_url):
            self._show(received.event)
            if isinstance(received.event, Complete):
                return received.event.result
        self.screen.event("failed", f"job {job.job_id} has no result", BAD)
        return None

    def _show(self, event: StreamEvent) -> None:
        if isinstance(event, Tool) and event.status != "started":
            said = str(event.detail.get("summary") or event.title)
            self.screen.event("tool", said, GOOD if event.status == "finished" else BAD)


class SheetDemo(PipelineDemo):
    """Three questions about a workbook, one change, and the way back."""

    pipeline = SHEET_CHAT
    name = "sheet"
    begins_with_job = False
    path = "/sessions/{sessionId}/messages"
    extras = SessionExtras

    def __init__(self, directive: str | None = None) -> None:
        self._text = QUESTIONS[0] + (f" [[script: {directive}]]" if directive else "")
        self._session_id = ""

    @property
    def summary(self) -> str:
        return f"{FILE}, {ROWS} rows: three questions, one change, undo, export"

    @property
    def job_input(self) -> Mapping[str, Any]:
        return {"text": self._text}

    @property
    def body(self) -> Mapping[str, Any]:
        return self.job_input

    def prepare(self, client: JobsClient) -> None:
        """Upload the workbook to a new session, and load it. Raises ClientError."""
        self._session_id = _loaded_session(client)

    def create(self, client: JobsClient) -> JobAccepted:
        """Ask the first question. Raises ClientError."""
        path = self.path.format(sessionId=self._session_id)
        return client.call(JobAccepted, "POST", path, json=dict(self.job_input))

    def preview(self, text: str) -> list[Paragraph]:
        return [("", Text(printable(line))) for line in text.splitlines()]

    def cards(self, result: Mapping[str, Any]) -> Iterator[RenderableType]:
        answer = SheetAnswer.model_validate(result)
        title = Text(printable(f" {QUESTIONS[0]} "), style=f"bold {ACCENT}")
        yield Panel(Text(printable(answer.text)), title=title, title_align="left", border_style=MUTED, box=box.ROUNDED)


def _loaded_session(client: JobsClient) -> str:
    """Create a session, send the file with the presigned PUT, wait until it is loaded, and return the session's id."""
    content = workbook()
    body = {"file": {"name": FILE, "bytes": len(content), "contentType": _XLSX}}
    session = client.call(SessionWithUpload, "POST", "/sessions", json=body)
    target = session.upload
    with _bucket(target.url) as http:
        http.request(target.method, target.url, content=content, headers=target.headers).raise_for_status()
    load = client.call(JobAccepted, "POST", f"/sessions/{session.session_id}/load")
    for _ in client.follow(load.stream_url):
        pass
    return session.session_id


def _bucket(url: str) -> httpx.Client:
    """Return a client for presigned URLs; a proxy does not reach the ports of this machine."""
    return httpx.Client(trust_env=not is_loopback(url))


DEMOS: Final = (SheetDemo,)
