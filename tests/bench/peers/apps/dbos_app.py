"""The job as a DBOS workflow with a durable stream, read over FastAPI; the offset in the stream is the event's id.

The model is called in a step, which writes to the stream: each token, or the tokens of BATCH_MS together.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import time
from collections.abc import AsyncIterator
from typing import Annotated

import uvicorn
from dbos import DBOS
from fastapi import FastAPI, Header
from fastapi.responses import StreamingResponse
from openai import AsyncOpenAI

BATCH_SECONDS = float(os.environ["BATCH_MS"]) / 1000

app = FastAPI()


@functools.cache
def model_of(loop: asyncio.AbstractEventLoop) -> AsyncOpenAI:
    """Return one client per loop: DBOS runs recovered workflows in its own loop and new ones in the caller's loop."""
    return AsyncOpenAI(base_url=os.environ["MODEL_URL"], api_key="benchmark")


@DBOS.step()
async def ask(prompt: str) -> str:
    said: list[str] = []
    unwritten: list[str] = []
    written_at = time.monotonic()
    model = model_of(asyncio.get_running_loop())
    chunks = await model.chat.completions.create(
        model="scripted-1", messages=[{"role": "user", "content": prompt}], stream=True
    )
    async for chunk in chunks:
        if chunk.choices and (text := chunk.choices[0].delta.content):
            said.append(text)
            unwritten.append(text)
            if time.monotonic() - written_at >= BATCH_SECONDS:
                await DBOS.write_stream_async("text", "".join(unwritten))
                unwritten.clear()
                written_at = time.monotonic()
    if unwritten:
        await DBOS.write_stream_async("text", "".join(unwritten))
    return "".join(said)


@DBOS.workflow()
async def generate(prompt: str) -> str:
    text: str = await ask(prompt)
    await DBOS.close_stream_async("text")
    return text


@app.post("/jobs", status_code=202)
async def create(prompt: str) -> dict[str, str]:
    handle = await DBOS.start_workflow_async(generate, prompt)
    return {"jobId": handle.workflow_id}


@app.get("/jobs/{job_id}/stream")
async def stream(job_id: str, last_event_id: Annotated[int, Header()] = -1) -> StreamingResponse:
    return StreamingResponse(events_after(job_id, last_event_id), media_type="text/event-stream")


async def events_after(job_id: str, last: int) -> AsyncIterator[str]:
    async for text in DBOS.read_stream_async(job_id, "text", offset=last + 1):
        last += 1
        yield f"id: {last}\nevent: token\ndata: {json.dumps(text)}\n\n"
    yield f"id: {last}\nevent: end\ndata: {{}}\n\n"


if __name__ == "__main__":
    DBOS(config={"name": "bench", "system_database_url": os.environ["SYSTEM_DATABASE_URL"], "log_level": "WARNING"})
    DBOS.launch()
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning")
