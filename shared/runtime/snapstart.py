"""SnapStart: what a first request needs is made before the snapshot, what has to be unique after it.

A snapshot is restored any number of times, hours or weeks later. So it may hold modules, settings, schemas and clients,
and no connection, no credential and no random state; request ids and job ids are the kernel's random numbers, which
Lambda makes anew. https://docs.aws.amazon.com/lambda/latest/dg/snapstart-uniqueness.html
"""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable

from shared import schema
from shared.runtime import startup
from shared.storage import aws


def install(prepare: Callable[[], object]) -> None:
    """Have Lambda's runtime call `prepare` before it takes a snapshot; elsewhere, do nothing."""
    try:
        runtime = importlib.import_module("snapshot_restore_py")
    except ImportError:
        return
    runtime.register_before_snapshot(before_snapshot, prepare)
    runtime.register_after_restore(after_restore)


def before_snapshot(prepare: Callable[[], object]) -> None:
    """Make all that a request would make, and call nobody."""
    aws.make_clients()
    prepare()
    schema.build_all()
    startup.finish()


def after_restore() -> None:
    """Make this process another one than all that come of the same snapshot."""
    random.seed()
    aws.forget_connections()
