"""One request to the scripted model, independent of the OpenAI API that it came by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from local.model.errors import BadRequest


@dataclass(frozen=True, slots=True)
class Prompt:
    """The messages and the settings of one request.

    `response_format` has the `type` "text", "json_object" or "json_schema"; the last also has `name` and `schema`.
    """

    model: str
    messages: list[dict[str, str]]
    response_format: dict[str, Any]
    most_tokens: int | None
    temperature: float | None = None

    @classmethod
    def of(
        cls, body: dict[str, Any], messages: list[Any], response_format: dict[str, Any], most_tokens: int | None
    ) -> Prompt:
        """Raises BadRequest."""
        if not isinstance(body.get("model"), str) or not body["model"]:
            raise BadRequest("you must provide a model parameter")
        read = [_message(message) for message in messages]
        return cls(body["model"], read, response_format, most_tokens, body.get("temperature"))

    @property
    def user_messages(self) -> list[str]:
        """The texts of the user's messages, oldest first."""
        return [message["content"] for message in self.messages if message["role"] == "user"]

    @property
    def text(self) -> str:
        """All messages of the user as one text."""
        return "\n".join(self.user_messages)

    @property
    def schema_name(self) -> str | None:
        return self.response_format.get("name")

    @property
    def schema(self) -> dict[str, Any] | None:
        """The JSON Schema that the output must fit; None when the request has none. Raises BadRequest."""
        if self.response_format.get("type") != "json_schema":
            return None
        schema = self.response_format.get("schema")
        if not isinstance(schema, dict):
            raise BadRequest("Missing required parameter: the 'schema' of a 'json_schema'.")
        return schema


def _message(message: Any) -> dict[str, str]:
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        raise BadRequest("Invalid messages: every message needs a role.")
    content = message.get("content") or ""
    if isinstance(content, list):
        content = "\n".join(part.get("text", "") for part in content if isinstance(part, dict))
    return {"role": message["role"], "content": str(content)}
