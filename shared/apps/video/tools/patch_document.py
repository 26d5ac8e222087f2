"""Apply a JSON Patch (RFC 6902) to a document within limits of size and depth, and say which operation failed."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import jsonpatch
from pydantic import ConfigDict, Field

from shared.schema import Schema

MAX_OPERATIONS = 50
MAX_DOCUMENT_BYTES = 256_000
"""Largest document, in bytes of JSON, after every operation."""
MAX_DEPTH = 32
"""Most levels of objects and arrays in the document."""


class PatchOperation(Schema):
    """One operation of RFC 6902. `path` and `from` are JSON Pointers (RFC 6901)."""

    # RFC 6902 tells readers to ignore members that it does not define.
    model_config = ConfigDict(extra="ignore")

    op: Literal["add", "remove", "replace", "move", "copy", "test"]
    path: str = Field(max_length=1_000)
    from_: str | None = Field(default=None, alias="from", max_length=1_000)
    value: Any = None


@dataclass(frozen=True, slots=True)
class PatchProblem(Exception):
    """Why a patch cannot be applied; `index` is the position of the operation, from 0."""

    code: str
    index: int
    path: str
    reason: str

    @property
    def message(self) -> str:
        """Return the problem with the operation that has it."""
        return f"ops.{self.index} ({self.path or 'the whole document'}): {self.reason}"


def patched(document: Any, operations: Sequence[PatchOperation]) -> Any:
    """Return the document after all operations. The given document is not changed.

    Raises PatchProblem for the first operation that cannot be applied, or that makes the document too large or deep.
    """
    current = copy.deepcopy(document)
    for index, operation in enumerate(operations):
        try:
            current = jsonpatch.JsonPatch([_raw(operation)]).apply(current, in_place=True)
        except jsonpatch.JsonPatchTestFailed:
            raise PatchProblem("TEST_FAILED", index, operation.path, "the value is not the one that it tests") from None
        except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, TypeError, ValueError) as error:
            raise PatchProblem("PATCH_NOT_APPLICABLE", index, operation.path, _reason(error)) from None
        _check_size(current, index, operation.path)
    return current


def parts_of(pointer: str) -> tuple[str, ...] | None:
    """Return the unescaped parts of a JSON Pointer, none for the whole document; None for what is no pointer."""
    try:
        return tuple(jsonpatch.JsonPointer(pointer).parts)
    except jsonpatch.JsonPointerException:
        return None


def _raw(operation: PatchOperation) -> dict[str, Any]:
    raw: dict[str, Any] = {"op": operation.op, "path": operation.path}
    if operation.from_ is not None:
        raw["from"] = operation.from_
    if "value" in operation.model_fields_set:
        raw["value"] = operation.value
    return raw


def _reason(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:200]


def _check_size(document: Any, index: int, path: str) -> None:
    """Raise PatchProblem if the document is too deep, too large, or not JSON."""
    if _depth(document) > MAX_DEPTH:
        raise PatchProblem("DOCUMENT_TOO_DEEP", index, path, f"the document has more than {MAX_DEPTH} levels")
    try:
        size = len(json.dumps(document, ensure_ascii=False, allow_nan=False).encode())
    except (ValueError, UnicodeEncodeError):
        raise PatchProblem("NOT_JSON", index, path, "a number or a text in the value is not valid JSON") from None
    if size > MAX_DOCUMENT_BYTES:
        limit = f"the document is larger than {MAX_DOCUMENT_BYTES // 1000} kB after this operation"
        raise PatchProblem("DOCUMENT_TOO_LARGE", index, path, limit)


def _depth(document: Any) -> int:
    """Return how many levels of objects and arrays there are, without recursion; it stops above the limit."""
    depth, level = 0, [document]
    while level and depth <= MAX_DEPTH:
        below: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                below += each.values()
            elif isinstance(each, list):
                below += each
        containers = any(isinstance(each, dict | list) for each in level)
        depth += containers
        level = below
    return depth
