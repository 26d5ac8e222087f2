"""Serve app.py of the working directory with uvicorn; run.sh starts this module behind Lambda Web Adapter.

It replaces uvicorn's own command, because `python -m shared.web.server` imports `shared` first, which postpones garbage
collection before uvicorn and FastAPI are imported (shared/runtime/startup.py).
"""

from __future__ import annotations

import contextlib
import os
import sys

from shared.packages import postpone_init

postpone_init("uvicorn")  # its `__init__` imports its command with click, and its reloader

from uvicorn.config import STARTUP_FAILURE, Config  # noqa: E402
from uvicorn.server import Server  # noqa: E402

if __name__ == "__main__":
    config = Config(
        "app:app",
        host="127.0.0.1",
        port=int(os.environ["AWS_LWA_PORT"]),
        http="h11",
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
    )
    server = Server(config)
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(STARTUP_FAILURE)
