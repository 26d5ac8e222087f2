"""Compares events with the patterns of EventBridge and of Lambda's filters, which have one language.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html#filtering-syntax
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_MISSING = object()


def matches(pattern: Mapping[str, Any], event: Any) -> bool:
    """Return whether each field of the pattern has one of its values in the event.

    A value is a text, number, truth value or null, or one of the rules `prefix`, `anything-but` and `exists`. Raises
    ValueError for another rule.
    """
    for name, wanted in pattern.items():
        found = event.get(name, _MISSING) if isinstance(event, Mapping) else _MISSING
        fits = matches(wanted, found) if isinstance(wanted, Mapping) else any(_fits(each, found) for each in wanted)
        if not fits:
            return False
    return True


def _fits(wanted: Any, found: Any) -> bool:
    if not isinstance(wanted, Mapping):
        return found is not _MISSING and type(wanted) is type(found) and bool(wanted == found)
    ((rule, value),) = wanted.items()
    match rule:
        case "prefix":
            return isinstance(found, str) and found.startswith(value)
        case "anything-but":
            refused: Sequence[Any] = value if isinstance(value, list) else [value]
            return found is not _MISSING and not isinstance(found, Mapping) and found not in refused
        case "exists":
            # Only for a field with a value, not for one that contains fields.
            return (found is not _MISSING and not isinstance(found, Mapping)) is bool(value)
        case _:
            raise ValueError(f"patterns with {rule} are not supported")
