"""Reads the messages of a request into one form, whichever API it came by, and refuses what OpenAI refuses.

A message is a dict with `role` and `content` (its text) and, where it has them, `images`, `tool_calls` (each with `id`,
`name` and `arguments`) and `tool_call_id`.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from local.model.errors import BadRequest
from local.model.images import read_image

Message = dict[str, Any]

_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_ROLES: Final = frozenset({"system", "developer", "user", "assistant", "tool"})
_INPUT: Final = frozenset({"input_text", "input_image"})
# A message's role → the types of the parts that it may have.
_CHAT_PARTS: Final = {"user": frozenset({"text", "image_url"}), "assistant": frozenset({"text", "refusal"})}
_RESPONSE_PARTS: Final = {"assistant": frozenset({"output_text", "refusal"})}


def chat_messages(messages: Any) -> list[Message]:
    """Read the `messages` of a chat completion. Raises BadRequest."""
    if not isinstance(messages, list) or not messages:
        raise BadRequest("Invalid 'messages': expected an array with at least one message.")
    read = [_chat_message(message) for message in messages]
    _refuse_orphans(read)
    return read


def response_messages(given: Any, instructions: str | None) -> list[Message]:
    """Read the `input` and the `instructions` of a response. Raises BadRequest."""
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    if not isinstance(given, list) or not given:
        raise BadRequest("Invalid 'input': expected a string or an array with at least one item.")
    read: list[Message] = [{"role": "system", "content": instructions}] if instructions else []
    for item in given:
        message = _item(item)
        behind_call = bool(read and message.get("tool_calls") and read[-1]["role"] == "assistant")
        if behind_call:
            read[-1]["tool_calls"] = [*read[-1].get("tool_calls", []), *message["tool_calls"]]
        else:
            read.append(message)
    _refuse_unmatched(read)
    return read


def _chat_message(message: Any) -> Message:
    role = _role_of(message)
    read = {"role": role, **_content(message.get("content"), _CHAT_PARTS.get(role, frozenset({"text"})))}
    if role == "tool":
        return {**read, "tool_call_id": _text(message, "tool_call_id")}
    if message.get("tool_calls"):
        read["tool_calls"] = [_call(call.get("id"), call.get("function") or {}) for call in message["tool_calls"]]
    elif message.get("content") is None:
        raise BadRequest(f"Invalid value for 'content' of a message with role '{role}': expected a string, got null.")
    return read


def _item(item: Any) -> Message:
    kind = item.get("type", "message") if isinstance(item, dict) else None
    match kind:
        case "message":
            role = _role_of(item)
            if role == "tool":
                raise BadRequest("Invalid value: 'tool'. Send the result as an item 'function_call_output'.")
            return {"role": role, **_content(item.get("content"), _RESPONSE_PARTS.get(role, _INPUT))}
        case "function_call":
            return {"role": "assistant", "content": "", "tool_calls": [_call(item.get("call_id"), item)]}
        case "function_call_output":
            return {"role": "tool", **_content(item.get("output"), _INPUT), "tool_call_id": _text(item, "call_id")}
    raise BadRequest(f"Invalid input item {kind!r}: expected a message, a function_call or a function_call_output.")


def _role_of(message: Any) -> str:
    role = message.get("role") if isinstance(message, dict) else None
    if role not in _ROLES:
        raise BadRequest(f"Invalid messages: every message needs a role of {', '.join(sorted(_ROLES))}.")
    return str(role)


def _content(content: Any, allowed: frozenset[str]) -> Message:
    if content is None or isinstance(content, str):
        return {"content": content or ""}
    if not isinstance(content, list):
        raise BadRequest("Invalid 'content': expected a string or an array of parts.")
    texts, images = [], []
    for part in content:
        kind = str(part.get("type")) if isinstance(part, dict) else "part"
        if kind not in allowed:
            raise BadRequest(f"Invalid value: {kind!r}. Supported values here are: {', '.join(sorted(allowed))}.")
        if kind in {"image_url", "input_image"}:
            where = part.get("image_url")
            images.append(read_image(str(where.get("url") if isinstance(where, dict) else where)))
        else:
            texts.append(str(part.get("text") or part.get("refusal") or ""))
    return {"content": "\n".join(texts), **({"images": images} if images else {})}


def _call(identity: Any, function: Any) -> Message:
    name, arguments = function.get("name"), function.get("arguments")
    if not isinstance(identity, str) or not identity:
        raise BadRequest("Invalid tool call: it needs an id.")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BadRequest(f"Invalid name of a tool call: {name!r} does not match '^[a-zA-Z0-9_-]{{1,64}}$'.")
    try:
        parsed = json.loads(arguments)
    except (TypeError, ValueError):
        parsed = None
    if not isinstance(parsed, dict):
        # OpenAI takes them. Other providers do not, so the scripted model is as strict as the strictest.
        raise BadRequest(f"Invalid arguments of tool call {identity}: expected a JSON object.")
    return {"id": identity, "name": name, "arguments": arguments}


def _text(message: Message, field: str) -> str:
    value = message.get(field)
    if not isinstance(value, str) or not value:
        raise BadRequest(f"Missing required parameter: the '{field}' of a tool's result.")
    return value


def _refuse_orphans(messages: list[Message]) -> None:
    """Refuse a call without its result right behind it, and a result without its call right before it."""
    waiting: list[str] = []
    for message in [*messages, {"role": "end"}]:
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                raise BadRequest(
                    "Invalid parameter: messages with role 'tool' must be a response to a preceding message with "
                    f"'tool_calls'; {message['tool_call_id']} is not."
                )
            waiting.remove(message["tool_call_id"])
            continue
        if waiting:
            raise BadRequest(
                "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
                f"'tool_call_id'. The following tool_call_ids did not have response messages: {', '.join(waiting)}"
            )
        waiting = [call["id"] for call in message.get("tool_calls", [])]


def _refuse_unmatched(messages: list[Message]) -> None:
    """Refuse a call without a result anywhere behind it, and a result without a call anywhere before it."""
    waiting: list[str] = []
    for message in messages:
        waiting += [call["id"] for call in message.get("tool_calls", [])]
        if message["role"] != "tool":
            continue
        if message["tool_call_id"] not in waiting:
            raise BadRequest(f"No tool call found for function call output with call_id {message['tool_call_id']}.")
        waiting.remove(message["tool_call_id"])
    if waiting:
        raise BadRequest(f"No tool output found for function call {waiting[0]}.")
