"""Define the operations and the wire models of notebooks, and examples of research jobs."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from fastapi import Path
from pydantic import ConfigDict

from shared.apps.research.notebooks import Notebook, NotebookEntry, Title
from shared.schema import Schema


class Operation(StrEnum):
    """The operations of this application, one per HTTP function."""

    CREATE_NOTEBOOK = "create_notebook"
    GET_NOTEBOOK = "get_notebook"


class Entity(StrEnum):
    """The kinds of `data` in this application's responses."""

    NOTEBOOK = "notebook"


NotebookId = Annotated[
    str, Path(alias="notebookId", description="the notebook's id, from the response that created it", max_length=64)
]


class NewNotebook(Schema):
    """The body of `POST /notebooks`."""

    # Clients send the API's names only.
    model_config = ConfigDict(validate_by_name=False, defer_build=False)

    title: Title


class NotebookDetail(Schema):
    """A notebook: `jobs` counts the jobs that were linked to it, `entries` lists the newest 100, the newest last."""

    notebook_id: str
    title: str
    jobs: int
    entries: tuple[NotebookEntry, ...]


def detail(notebook: Notebook) -> NotebookDetail:
    """Return the wire model of a notebook."""
    return NotebookDetail(notebook_id=notebook.id, title=notebook.title, jobs=notebook.jobs, entries=notebook.entries)


JOB_EXAMPLES: dict[str, Any] = {
    "research": {
        "summary": "A question about the library",
        "value": {
            "pipeline": "research",
            "input": {"question": "Why are the worst floods of the Wend in March?", "sourceCount": 3},
        },
    },
}
"""Examples of `POST /jobs` bodies in the OpenAPI document, by name."""
