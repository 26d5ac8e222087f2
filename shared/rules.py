"""Say in our own words which rules pydantic found broken."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from shared.errors import FieldIssue

_SHOULD = re.compile(r"^\w+ should ")
"""How pydantic begins a rule: `Input should …`, `String should …`."""


def issues_of(found: Iterable[Any]) -> list[FieldIssue]:
    """Return what pydantic found in a model: each field, as the client wrote it, with the rule that it breaks."""
    return [FieldIssue(".".join(str(part) for part in each["loc"]), rule_of(each)) for each in found]


def rule_of(each: Any) -> str:
    """Return the rule that one of pydantic's errors is about."""
    message = str(each["msg"])
    match each["type"]:
        case "extra_forbidden":
            return "is not a known field"
        case "missing" | "union_tag_not_found":
            return "is required"
        case "model_type" | "model_attributes_type" | "dict_type":
            return "must be an object"
        case "union_tag_invalid":
            return f"must be one of: {each['ctx']['expected_tags']}"
        case "value_error":
            return message.removeprefix("Value error, ")
        case _:
            rule = _SHOULD.sub("must ", message).replace(" after validation", "")
            return rule[:1].lower() + rule[1:]
