"""The job on FastAPI, a Redis stream per job and a taskiq worker: the entry's id is the event's, so clients can return.

Web: `uvicorn taskiq_app:app`; worker: `taskiq worker taskiq_app:broker`.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import FastAPI, Header
from fastapi.responses import StreamingResponse
from openai import AsyncOpenAI
from redis.asyncio import Redis
from taskiq_redis import RedisStreamBroker

REDIS_URL = os.environ["REDIS_URL"]
KEPT_SECONDS = 3600

# If a worker dies, another gets its task after this idle time; the default is ten minutes. It must be longer than any
# job, or two workers run the task at the same time.
broker = RedisStreamBroker(url=REDIS_URL, idle_timeout=int(os.environ["IDLE_TIMEOUT_MS"]))
redis = Redis.from_url(REDIS_URL, protocol=2)
model = AsyncOpenAI(base_url=os.environ["MODEL_URL"], api_key="benchmark")
app = FastAPI()


@app.on_event("startup")
async def start() -> None:
    await broker.startup()


@broker.task
async def generate(job_id: str, prompt: str) -> None:
    key = f"job:{job_id}"
    chunks = await model.chat.completions.create(
        model="scripted-1", messages=[{"role": "user", "content": prompt}], stream=True
    )
    async for chunk in chunks:
        if chunk.choices and (text := chunk.choices[0].delta.content):
            await redis.xadd(key, {"text": text})
    await redis.xadd(key, {"end": "1"})
    await redis.expire(key, KEPT_SECONDS)


@app.post("/jobs", status_code=202)
async def create(prompt: str) -> dict[str, str]:
    job_id = uuid.uuid4().hex
    await generate.kiq(job_id, prompt)
    return {"jobId": job_id}


@app.get("/jobs/{job_id}/stream")
async def stream(job_id: str, last_event_id: Annotated[str, Header()] = "0") -> StreamingResponse:
    return StreamingResponse(events_after(job_id, last_event_id), media_type="text/event-stream")


async def events_after(job_id: str, last: str) -> AsyncIterator[str]:
    while True:
        for _, entries in await redis.xread({f"job:{job_id}": last}, block=15_000):
            for entry, fields in entries:
                last = entry.decode()
                if b"end" in fields:
                    yield f"id: {last}\nevent: end\ndata: {{}}\n\n"
                    return
                yield f"id: {last}\nevent: token\ndata: {json.dumps(fields[b'text'].decode())}\n\n"
