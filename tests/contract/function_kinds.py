"""What kinds of function there are, by what the template says of them."""

from __future__ import annotations

from typing import Literal

from local.template.template import Function, Template

Kind = Literal["api", "stage", "model stage", "stream"]


def kind_of(function: Function, template: Template) -> Kind:
    """`stage` is whatever is neither behind a URL nor able to reach a model: the sweep as well."""
    if function.has_url:
        return "stream"
    if any(route.function == function.logical_id for route in template.routes):
        return "api"
    return "model stage" if "OPENAI_BASE_URL" in function.environment else "stage"
