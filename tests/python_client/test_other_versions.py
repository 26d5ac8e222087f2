"""The Python client reads the responses of servers of earlier and later versions."""

from __future__ import annotations

import json
import types
import typing
from datetime import UTC, datetime
from typing import Any, Literal, get_args, get_origin

import httpx
import pytest
from millrace_client import Millrace, models
from millrace_client._model import ApiModel

from tests.python_client.server import FakeServer, success
from tools.openapi import DOCUMENT
from tools.python_client import FIRST_FIELDS, first_fields, received

CLASSES: dict[str, type[ApiModel]] = {
    name: found
    for name, found in vars(models).items()
    if isinstance(found, type) and issubclass(found, ApiModel) and found is not ApiModel
}
API = json.loads(DOCUMENT.read_text())
RECEIVED = sorted(CLASSES.keys() & received(API))
SCALARS: dict[Any, Any] = {
    str: "text",
    int: 1,
    float: 0.5,
    bool: True,
    Any: None,
    datetime: datetime.now(UTC).isoformat(),
}


def example(kind: Any) -> Any:
    """Return JSON of this type: with the first of several types, and with one element in each list."""
    origin = get_origin(kind)
    if kind in SCALARS:
        return SCALARS[kind]
    if origin is Literal:
        return get_args(kind)[0]
    if origin in {typing.Annotated, typing.Union, types.UnionType}:
        return example(get_args(kind)[0])
    if origin is list:
        return [example(get_args(kind)[0])]
    if origin is tuple:
        return [example(each) for each in get_args(kind)]
    return {"name": example(get_args(kind)[1])} if origin is dict else example_of(kind)


def example_of(model: type[ApiModel]) -> dict[str, Any]:
    """Return JSON of this model with all fields."""
    hints = typing.get_type_hints(model)
    return {field.alias or name: example(hints[name]) for name, field in model.model_fields.items()}


@pytest.mark.parametrize("name", RECEIVED)
def test_a_server_of_an_earlier_version_leaves_out_what_was_added_later(name: str) -> None:
    first = json.loads(FIRST_FIELDS.read_text())[name]
    fields = API["components"]["schemas"][name]["properties"]
    sent = example_of(CLASSES[name])
    assert CLASSES[name].model_validate(sent)

    for field in fields.keys() - set(first):
        CLASSES[name].model_validate({key: value for key, value in sent.items() if key != field})
    CLASSES[name].model_validate({key: value for key, value in sent.items() if key in first})


def test_a_field_that_is_added_to_a_model_later_is_not_one_of_its_first_fields() -> None:
    assert FIRST_FIELDS.read_text() == first_fields(), "run `make openapi`: a new model is missing"
    later = {"title", "archived", "history", "historyIsWhole"}
    assert later.isdisjoint(json.loads(FIRST_FIELDS.read_text())["JobDetail"])


@pytest.mark.parametrize("name", RECEIVED)
def test_a_server_of_a_later_version_sends_more_fields_and_other_words(name: str) -> None:
    sent = example_of(CLASSES[name])
    schema = API["components"]["schemas"][name]["properties"]
    words = {field for field, each in schema.items() if _is_word(each)}

    read = CLASSES[name].model_validate({**sent, "ofALaterVersion": {"a": [1]}, **dict.fromkeys(words, "later")})

    dumped = read.model_dump(by_alias=True)
    assert "ofALaterVersion" not in dumped
    assert {field: dumped[field] for field in words} == dict.fromkeys(words, "later")


def _is_word(schema: dict[str, Any]) -> bool:
    """Return whether the field is one of several words, which a later version may have more of."""
    if "$ref" in schema:
        return "enum" in API["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return "enum" in schema


def test_a_job_of_an_earlier_server_is_read_and_what_it_does_not_know_is_empty() -> None:
    sent = example_of(models.JobDetail)
    for field in ("title", "archived", "history", "historyIsWhole"):
        del sent[field]
    server = FakeServer([success({**sent, "status": "paused"})])

    with Millrace("https://api.example", "token", http=httpx.Client(transport=server)) as millrace:
        job = millrace.get_job("job_1")

    assert (job.title, job.history, job.archived, job.status) == (None, [], False, "paused")
    assert job.history_is_whole is False, "an empty history of a server that keeps none is not the whole"
