"""Imports, before anything is served, what the product imports when it first needs it.

On Lambda a process has one request at a time. Here it has many, and of two threads that import modules which import
each other, Python gives one a module that is only half there. Our own modules do not import each other in a circle.
"""

from __future__ import annotations

import importlib
from typing import Final

BY_THE_PRODUCT: Final = (
    "anyio",
    "aws_lambda_powertools",
    "botocore.config",
    "botocore.exceptions",
    "httpx2",
    "jwt",
    "mangum",
    "openai",
)
"""What functions of shared/ import."""

BY_ITS_LIBRARIES: Final = (
    "anyio._backends._asyncio",
    "botocore.session",
    "httpcore2",
    "openai.resources.chat.chat",
    "openai.resources.responses.responses",
)
"""What those put off themselves, and modules of shared/ that are imported late: to the first loop, client or call."""


def import_all() -> None:
    for name in (*BY_THE_PRODUCT, *BY_ITS_LIBRARIES):
        importlib.import_module(name)
