"""The one result of every tool call, as the model, the watchers and the kept turn see it."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from shared.schema import Schema

ErrorName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{1,63}$")]


class ToolErrorCode(StrEnum):
    """The error codes of the loop itself; an application's tools add their own in the same form."""

    UNKNOWN_TOOL = "UNKNOWN_TOOL"
    NOT_ALLOWED = "NOT_ALLOWED"
    INVALID_ARGUMENTS = "INVALID_ARGUMENTS"
    RESULT_TOO_LARGE = "RESULT_TOO_LARGE"
    BUDGET_SPENT = "BUDGET_SPENT"
    REPEATED_FAILURE = "REPEATED_FAILURE"
    INTERNAL = "INTERNAL"


class ArgumentIssue(Schema):
    """One broken rule: `field` is the dotted path of the argument, `rule` says what would be valid."""

    field: str
    rule: str


class ToolError(Schema):
    """Why a call failed, for the model: what is wrong, and in `hint` what to do instead."""

    code: ErrorName
    message: str
    hint: str | None = None
    issues: tuple[ArgumentIssue, ...] = ()


class Change(Schema):
    """One thing that a call has changed, named in the application's own terms, such as a scene or a range of cells."""

    kind: str
    id: str
    count: int | None = Field(default=None, ge=0, description="how many parts of it changed, such as cells")


class ToolResult(Schema):
    """What a tool call returns.

    `summary` is one line for people. `data` is for the model. `version` is the application's own version after the
    call's changes. `truncated` means that there was more than `data` holds.
    """

    ok: bool
    summary: str
    data: dict[str, Any] | None = None
    error: ToolError | None = None
    changes: tuple[Change, ...] = ()
    version: int | None = None
    truncated: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def for_model(self) -> str:
        """Return the result as compact JSON without nulls, empty lists and false flags."""
        fields = self.model_dump(mode="json", exclude_defaults=True) | {"ok": self.ok}
        return json.dumps(_without_nulls(fields), ensure_ascii=False, separators=(",", ":"))


def failed(code: str, message: str, *, hint: str | None = None, issues: tuple[ArgumentIssue, ...] = ()) -> ToolResult:
    """Return the result of a call that failed; `message` is also its summary."""
    return ToolResult(
        ok=False, summary=message, error=ToolError(code=str(code), message=message, hint=hint, issues=issues)
    )


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_without_nulls(each) for each in value]
    return value
