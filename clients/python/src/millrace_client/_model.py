"""The base of the API's models."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

T = TypeVar("T")


class ApiModel(BaseModel):
    """A model of the API. Its attributes are in snake case, its JSON in camel case; it can be made from both.

    It accepts fields that it does not know, because a newer server may send them.
    """

    model_config = ConfigDict(
        frozen=True, extra="ignore", validate_by_name=True, validate_by_alias=True, protected_namespaces=()
    )


def _or_unknown(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    """Accept a text that is none of the known ones, because a newer server may send it."""
    try:
        return handler(value)
    except ValidationError:
        if isinstance(value, str):
            return value
        raise


Open = Annotated[T, WrapValidator(_or_unknown)]
"""One of the known texts, or another one of a newer server."""


def to_json(body: ApiModel | Any) -> Any:
    """Return the JSON of a request's body: of a model, the fields that were given."""
    if isinstance(body, BaseModel):
        return body.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return body
