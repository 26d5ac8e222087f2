"""Provide the services of research on AWS."""

# ruff: noqa: PLC0415 - a function imports what it uses

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shared.runtime.settings import StorageSettings

if TYPE_CHECKING:
    from shared.apps.research.notebooks import Notebooks
    from shared.apps.research.storage import DynamoNotebooks
    from shared.jobs.job import LinkKind
    from shared.jobs.links import LinkedEntities
    from shared.jobs.side_writes import SideWrites


def notebooks() -> Notebooks:
    """Return the service of notebooks."""
    from shared.apps.research.notebooks import Notebooks

    return Notebooks(_store())


def side_writes() -> Sequence[SideWrites]:
    """Return what this application writes in the transactions of its jobs."""
    from shared.apps.research.notebooks import NotebookEntries

    return (NotebookEntries(_store()),)


def linked_entities(_kind: LinkKind) -> LinkedEntities:
    """Return the notebooks, which are this application's projects."""
    from shared.apps.research.notebooks import NotebookLinks

    return NotebookLinks(_store())


def _store() -> DynamoNotebooks:
    from shared.apps.research.storage import DynamoNotebooks

    return DynamoNotebooks(StorageSettings.read().durable_table_name)
