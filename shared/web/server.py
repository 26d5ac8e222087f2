"""Serve app.py of the working directory with uvicorn; run.sh starts this module behind Lambda Web Adapter.

It replaces uvicorn's own command, because `python -m shared.web.server` imports `shared` first, which postpones garbage
collection before uvicorn and FastAPI are imported (shared/runtime/startup.py).
"""

from __future__ import annotations

import os

import uvicorn

if __name__ == "__main__":
    uvicorn.run(
        "app:app",
        host="127.0.0.1",
        port=int(os.environ["AWS_LWA_PORT"]),
        http="h11",
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
    )
