"""Prepare a SnapStart snapshot: build what the first request needs before it, replace what must be unique after it.

Lambda can restore a SnapStart snapshot any number of times, hours or weeks later. So the snapshot may contain modules,
settings, schemas and AWS clients, but no connection, credential or random state. Ids come from the kernel's random
numbers, which differ after each restore: https://docs.aws.amazon.com/lambda/latest/dg/snapstart-uniqueness.html
"""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable

from shared import schema
from shared.runtime import startup
from shared.storage import aws


def install(prepare: Callable[[], object]) -> None:
    """Register both hooks with Lambda's runtime, with `prepare` for the first one. Elsewhere, do nothing."""
    try:
        runtime = importlib.import_module("snapshot_restore_py")
    except ImportError:
        return
    runtime.register_before_snapshot(before_snapshot, prepare)
    runtime.register_after_restore(after_restore)


def before_snapshot(prepare: Callable[[], object]) -> None:
    """Build everything that a request needs, without any network call."""
    aws.make_clients()
    prepare()
    schema.build_all()
    startup.finish()


def after_restore() -> None:
    """Replace the random state and the connections that all processes of one SnapStart snapshot share."""
    random.seed()
    aws.forget_connections()
