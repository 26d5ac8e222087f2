"""Answer a request whose client has the current response already: compare `If-None-Match`, and respond with 304."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Header, Response

from shared.observability.metrics import metrics

IfNoneMatch = Annotated[
    str | None,
    Header(
        alias="If-None-Match",
        max_length=1000,
        description="the `ETag` of an earlier response; if it is still current, the response is 304 without a body",
    ),
]

NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "the response with this `ETag` is current"}}
"""The OpenAPI response of a request that is answered without a body."""

REVALIDATE = "private, no-cache"
"""Cache-Control of a response that a client may keep, but must ask about before it shows it again."""


def is_current(etag: str, if_none_match: str | None) -> bool:
    """Return whether the header names this ETag: a list of ETags, weak or strong, or `*`."""
    if if_none_match is None:
        return False
    named = {each.strip().removeprefix("W/") for each in if_none_match.split(",")}
    return etag in named or "*" in named


def not_modified(operation: str, etag: str, *, cache_control: str = REVALIDATE) -> Response:
    """Return the response 304 of the operation, and count it."""
    metrics.not_modified(operation)
    return Response(status_code=304, headers={"ETag": etag, "Cache-Control": cache_control})
