"""Provide the services of sheet chat on AWS."""

# ruff: noqa: PLC0415 - a function imports what it uses

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from shared.runtime.settings import StorageSettings

if TYPE_CHECKING:
    from shared.apps.sheets.storage.sessions import DynamoSessionStore


@functools.cache
def session_store() -> DynamoSessionStore:
    """Return the store of sessions."""
    from shared.apps.sheets.storage.sessions import DynamoSessionStore

    settings = StorageSettings.read()
    return DynamoSessionStore(settings.durable_table_name, settings.table_name)
