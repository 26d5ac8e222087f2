"""Imports, before anything is served, what the product imports when it first needs it.

On Lambda a process has one request at a time. Here it has many, and of two threads that import modules which import
each other, Python gives one a module that is only half there.
"""

from __future__ import annotations

import importlib
from typing import Final

_LAZY: Final = (
    "aws_lambda_powertools.metrics",
    "boto3.session",
    "botocore.config",
    "botocore.exceptions",
    "botocore.httpsession",
    "httpx2",
    "jwt",
    "openai",
)


def import_all() -> None:
    for name in _LAZY:
        importlib.import_module(name)
