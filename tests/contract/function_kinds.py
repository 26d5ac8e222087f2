"""The kind of each function, read from the template."""

from __future__ import annotations

from typing import Literal

from local.template.template import Function, Template

Kind = Literal["api", "stage", "model stage", "channel", "stream"]


def kind_of(function: Function, template: Template) -> Kind:
    """Return each function's kind; `stage` is a function without URL and model, such as the sweep."""
    if function.has_url:
        return "stream"
    if any(route.function == function.logical_id for route in template.routes):
        return "api"
    if function.logical_id in _of_the_channel(template):
        return "channel"
    return "model stage" if "OPENAI_BASE_URL" in function.environment else "stage"


def _of_the_channel(template: Template) -> set[str]:
    """Return the functions that the WebSocket API invokes."""
    api = template.websocket_api
    if api is None:
        return set()
    authorizer = set() if api.authorizer is None else {api.authorizer.function}
    return {*api.routes.values(), *authorizer}
