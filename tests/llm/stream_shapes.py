"""The shapes in which servers send one answer: each function returns a whole HTTP response with the answer in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from tests.llm.case_server import http_response

USAGE: Final = {"prompt_tokens": 70, "completion_tokens": 300, "total_tokens": 370}
DONE: Final = "[DONE]"
Shape = Callable[[str], bytes]
"""Return the response that has this answer in it."""


def parts_of(answer: str, count: int = 5) -> list[str]:
    """Return the answer in `count` parts."""
    step = max(1, -(-len(answer) // count))
    return [answer[begin : begin + step] for begin in range(0, len(answer), step)]


def chunk(delta: Any = None, finish: Any = None, **choice: Any) -> dict[str, Any]:
    """Return one chunk of a chat completion."""
    content = {"delta": {} if delta is None else delta} if "message" not in choice and "text" not in choice else {}
    return {
        "id": "c1",
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, **content, "finish_reason": finish, **choice}],
    }


def chunks(answer: str, finish: Any = "stop", *, usage: bool = True) -> list[Any]:
    """Return the chunks of an answer, as a server sends them that does everything right."""
    said = [chunk({"role": "assistant", "content": ""}), *(chunk({"content": part}) for part in parts_of(answer))]
    counted = [{"id": "c1", "choices": [], "usage": USAGE}] if usage else []
    return [*said, chunk({}, finish), *counted, DONE]


def payload(event: Any) -> str:
    return event if isinstance(event, str) else json.dumps(event, ensure_ascii=False)


def stream(events: Iterable[Any], *, end: str = "\n", gap: str | None = None, head: str = "") -> bytes:
    """Return the events as a stream; `end` is the line end, `gap` what follows each event."""
    lines = "".join(f"data: {payload(event)}{end}{end if gap is None else gap}" for event in events)
    return sse((head + lines).encode("utf-8", "surrogatepass"))


def sse(body: bytes, **headers: str) -> bytes:
    return http_response(200, body, content_type="text/event-stream", **headers)


def completion(answer: str, **message: Any) -> dict[str, Any]:
    """Return a whole chat completion, as a server sends it that does not stream."""
    return {
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"content": answer, **message}, "finish_reason": "stop"}],
        "usage": USAGE,
    }


def between(noise: str) -> Shape:
    """Send the noise between all events."""
    return lambda answer: sse("".join(f"data: {payload(each)}\n\n{noise}" for each in chunks(answer)).encode())


def wrapped(form: str) -> Shape:
    """Send the answer in another text; `ANSWER` is its place, and `EXAMPLE` that of a draft of it."""
    return lambda answer: stream(chunks(form.replace("EXAMPLE", draft_of(answer)).replace("ANSWER", answer)))


def draft_of(answer: str) -> str:
    """Return the answer with other texts: what must never become a result."""
    return json.dumps(_drafted(json.loads(answer)))


def _drafted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _drafted(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_drafted(each) for each in value]
    return f"DRAFT {value}" if isinstance(value, str) else value


def changed(change: Callable[[str], str]) -> Shape:
    """Send the answer with a slip in its JSON."""
    return lambda answer: stream(chunks(change(answer)))


def _halves(answer: str) -> bytes:
    """Cut an emoji into two deltas, each with a half that only an escape can carry."""
    before, _, after = answer.partition("🌍")
    halves = [chunk({"content": before}), chunk({"content": "\ud83c"}), chunk({"content": "\udf0d"})]
    events = [*halves, *chunks(after)]
    return sse("".join(f"data: {each if each == DONE else json.dumps(each)}\n\n" for each in events).encode())


def _byte_that_is_not_utf8(answer: str) -> bytes:
    return stream(chunks(answer)).replace("é".encode(), b"\xe9")


def _repeated_message(answer: str) -> bytes:
    return stream([*chunks(answer)[:-3], chunk(finish="stop", message={"content": answer}), DONE])


def _messages(answer: str) -> bytes:
    return stream([*(chunk(message={"content": each}) for each in parts_of(answer)), chunk({}, "stop"), DONE])


def _texts(answer: str) -> bytes:
    return stream([*(chunk(text=each) for each in parts_of(answer)), chunk(text="", finish="stop"), DONE])


def _content_parts(answer: str) -> bytes:
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "hmm"}]}
    said = [chunk({"content": [{"type": "text", "text": each}]}) for each in parts_of(answer)]
    return stream([chunk({"content": [thought]}), *said, chunk({}, "stop"), DONE])


def _reasoning_apart(answer: str) -> bytes:
    thought = [chunk({"reasoning_content": f"Maybe {draft_of(answer)}"}), chunk({"reasoning": "or not"})]
    return stream([*thought, *chunks(answer)])


def _glued(events: list[Any], first: int, glue: str) -> list[Any]:
    """Return the events, with the one at `first` and the next one in one event."""
    both = glue.join(map(payload, events[first:][:2]))
    return [*events[:first], both, *events[first:][2:]]


def _broken_behind_the_end(answer: str) -> bytes:
    body = stream(chunks(answer)[:-1]).partition(b"\r\n\r\n")[2]
    return sse(body, Content_Length=str(len(body) + 1))


ANSWERS: Final[Mapping[str, Shape]] = {
    "as documented": lambda answer: stream(chunks(answer)),
    "empty data": between("data:\n\ndata: \n\n"),
    "data that only keeps alive": between("data: keep-alive\n\n"),
    "events that only keep alive": between("event: ping\ndata: {}\n\n"),
    "comments": between(": PROCESSING\n\n"),
    "no space behind the colon": lambda answer: stream(chunks(answer)).replace(b"data: ", b"data:"),
    "byte-order mark": lambda answer: stream(chunks(answer), head="\ufeff"),
    "CR as line end": lambda answer: stream(chunks(answer), end="\r"),
    "CRLF as line end": lambda answer: stream(chunks(answer), end="\r\n"),
    "one line end between events": lambda answer: stream(chunks(answer), gap=""),
    "[DONE] in the last event": lambda answer: stream(_glued(chunks(answer), -2, "\ndata: ")),
    "[DONE] glued to a document": lambda answer: stream(_glued(chunks(answer), -2, "")),
    "two documents in one event": lambda answer: stream(_glued(chunks(answer), 1, "")),
    "a byte that is not UTF-8": _byte_that_is_not_utf8,
    "an emoji in two halves": _halves,
    "no [DONE]": lambda answer: stream(chunks(answer)[:-1]),
    "no finish_reason": lambda answer: stream(chunks(answer, None)),
    "an empty finish_reason": lambda answer: stream(chunks(answer, "")),
    "a finish_reason in every chunk": lambda answer: stream(
        [*(chunk({"content": part}, "stop") for part in parts_of(answer)), DONE]
    ),
    "an unknown finish_reason": lambda answer: stream(chunks(answer, "eos_token")),
    "neither finish_reason nor [DONE]": lambda answer: stream(chunks(answer, None)[:-1]),
    "the last blank line missing": lambda answer: stream(chunks(answer)).rstrip(b"\n"),
    "an error behind the end": lambda answer: stream([*chunks(answer)[:-1], {"error": {"message": "x", "code": 500}}]),
    "a broken connection behind the end": _broken_behind_the_end,
    "a whole completion": lambda answer: http_response(200, completion(answer)),
    "a whole completion, called a stream": lambda answer: sse(json.dumps(completion(answer), indent=2).encode()),
    "a whole completion in an event": lambda answer: stream([completion(answer), DONE]),
    "a list of chunks": lambda answer: http_response(200, chunks(answer)[:-1]),
    "a stream, called JSON": lambda answer: stream(chunks(answer)).replace(b"text/event-stream", b"application/json"),
    "content as a list of parts": _content_parts,
    "message instead of delta": _messages,
    "message repeats the deltas": _repeated_message,
    "text instead of delta": _texts,
    "reasoning_content beside it": _reasoning_apart,
    "no usage": lambda answer: stream(chunks(answer, usage=False)),
    "in a fence": wrapped("```json\nANSWER\n```"),
    "behind reasoning": wrapped("<think>\nMaybe EXAMPLE or {\"a\": [1, 2} ... \"odd\n</think>\n\nANSWER"),
    "behind reasoning without its tag": wrapped("Maybe EXAMPLE?\n</think>\n\nANSWER"),
    "in sentences": wrapped("Here is what I found:\n\nANSWER\n\nShall I write more?"),
    "twice": wrapped("ANSWER\nANSWER"),
    "a comma too many": changed(lambda answer: answer.replace("]", ",]").replace("}", ",}")),
    "curly quotes": changed(lambda answer: answer.replace('"', "“")),
    "a line break in a text": changed(lambda answer: answer.replace("naïve café", "naïve\ncafé")),
    "comments in the JSON": changed(lambda answer: answer.replace("[", "[ // the list\n", 1)),
}  # fmt: skip
"""Every response that has an answer in it, by what is odd about it."""
