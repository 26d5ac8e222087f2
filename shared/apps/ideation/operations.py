"""Name the operations of brainstorming: apart from `web.py`, whose models deleting a run does not need."""

from __future__ import annotations

from enum import StrEnum


class Operation(StrEnum):
    """The operations of this application, one per HTTP function."""

    CREATE_IDEATION = "create_ideation"
    LIST_IDEATIONS = "list_ideations"
    GET_IDEATION = "get_ideation"
    GET_IDEATION_JOB = "get_ideation_job"
    GET_IDEATION_LINEAGE = "get_ideation_lineage"
    DELETE_IDEATION = "delete_ideation"
