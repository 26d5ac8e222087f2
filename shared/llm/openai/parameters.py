"""Leave out the parameters that a server refuses, and remember them for its models."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from shared.observability.log import log

Parameters = dict[str, Any]
Change = Callable[[Parameters], bool]
"""Send a request without one parameter, or with less of it. Return whether this changed the request."""

_WITH_SCHEMA: Final = "Answer with one JSON object that fits this JSON Schema, and with nothing else:\n{schema}"
_WITH_SCHEMA_AFTER: Final = "{text}\n\n" + _WITH_SCHEMA


def _without(*names: str) -> Change:
    def change(parameters: Parameters) -> bool:
        sent = parameters.keys() & set(names)
        for name in sent:
            del parameters[name]
        return bool(sent)

    return change


def _with_other_limit(parameters: Parameters) -> bool:
    """Use the limit's older name, which most servers know that do not know the newer one."""
    if "max_completion_tokens" not in parameters:
        return False
    parameters["max_tokens"] = parameters.pop("max_completion_tokens")
    return True


def _with_newer_limit(parameters: Parameters) -> bool:
    if "max_tokens" not in parameters:
        return False
    parameters["max_completion_tokens"] = parameters.pop("max_tokens")
    return True


def _with_looser_format(parameters: Parameters) -> bool:
    """Ask for any JSON instead of a schema, and then for no format; the schema goes into the system message."""
    kind = parameters.get("response_format", {}).get("type")
    if kind is None:
        return False
    if kind == "json_schema":
        schema = parameters["response_format"]["json_schema"]["schema"]
        parameters["response_format"] = {"type": "json_object"}
        first = parameters["messages"][0]
        if first["role"] == "system" and isinstance(first["content"], str):
            first["content"] = _WITH_SCHEMA_AFTER.format(text=first["content"], schema=json.dumps(schema))
        else:
            note = {"role": "system", "content": _WITH_SCHEMA.format(schema=json.dumps(schema))}
            parameters["messages"].insert(0, note)
    else:
        del parameters["response_format"]
    return True


def _with_looser_text_format(parameters: Parameters) -> bool:
    """Do the same for the Responses API, whose system message is `instructions`."""
    form = parameters.get("text", {}).get("format")
    if form is None:
        return False
    if form["type"] == "json_schema":
        note = _WITH_SCHEMA.format(schema=json.dumps(form["schema"]))
        parameters["text"] = {"format": {"type": "json_object"}}
        parameters["instructions"] = "\n\n".join(filter(None, (parameters.get("instructions"), note)))
    else:
        del parameters["text"]
    return True


def _without_strict(parameters: Parameters) -> bool:
    schema = parameters.get("response_format", {}).get("json_schema") or parameters.get("text", {}).get("format") or {}
    return schema.pop("strict", None) is not None


CHAT: Final[Mapping[str, Change]] = {
    "strict": _without_strict,
    "response_format": _with_looser_format,
    "stream_options": _without("stream_options"),
    "stream": _without("stream", "stream_options"),
    "max_completion_tokens": _with_other_limit,
    "max_tokens": _with_newer_limit,
    "temperature": _without("temperature"),
    "tool_choice": _without("tool_choice"),
}
"""What is sent instead, by the parameter of a chat completion that a server refuses. Others cannot be left out."""

RESPONSES: Final[Mapping[str, Change]] = {
    "strict": _without_strict,
    "response_format": _with_looser_text_format,
    "background": _without("background"),
    "store": _without("store", "background"),
    "stream": _without("stream"),
    "temperature": _without("temperature"),
    "tool_choice": _without("tool_choice"),
}
"""The same for the Responses API."""


class RefusedParameters:
    """The parameters that one endpoint has refused, by model, for the life of the process."""

    def __init__(self, changes: Mapping[str, Change]) -> None:
        self._changes = changes
        self._refused: dict[str, tuple[str, ...]] = {}

    def known(self, model: str) -> tuple[str, ...]:
        """Return what the model's requests do without: names of parameters, in the order of their refusal."""
        return self._refused.get(model, ())

    def apply(self, refused: tuple[str, ...], parameters: Parameters) -> Parameters:
        """Change the parameters of a request so that none of them is refused, and return them."""
        for name in refused:
            self._changes[name](parameters)
        return parameters

    def next_to(
        self, refused: tuple[str, ...], named: frozenset[str], parameters: Parameters
    ) -> tuple[str, ...] | None:
        """Return what to do without if the server has refused these `parameters` and `named` some of them.

        Return None if there is nothing that could be left out.
        """
        for name, change in self._changes.items():
            if name in named and not (name in refused and name.startswith("max_")) and change(parameters):
                return (*refused, name)
        return None

    def remember(self, model: str, refused: tuple[str, ...]) -> None:
        """Remember what a request that succeeded did without."""
        if refused != self.known(model):
            log.info("parameters left out", model=model, parameters=sorted(set(refused)))
            self._refused[model] = refused
