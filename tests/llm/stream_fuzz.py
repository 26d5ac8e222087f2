"""Compare the reader of server-sent events with the standard's own words, on random streams.

`python -m tests.llm.stream_fuzz --inputs 100000` prints the number of differences. The suite runs 2,000 inputs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import re
import sys
import time
from dataclasses import dataclass

from shared.llm.openai.chat_stream import ChatDecoder
from shared.llm.sse_reader import SseReader

Events = list[tuple[str, str]]

PIECES = (
    b"data", b"data:", b"data: ", b"event:", b"event: error", b"id: 7", b"retry: 10", b": comment", b":", b"x", b"{}",
    b" ", b"data:data:", b"other: field", "data: Grüße 世界 🌍".encode(), b"data: \xe9", b"\xf0\x9f\x8c",
    b"\xed\xa0\xbc", b"\xef\xbb\xbf", b"\xff", b"[DONE]", "\u2028\u0085\x0b\x0c".encode(), b"\x00",
)  # fmt: skip
ENDS = (b"\n", b"\r", b"\r\n")
WORDS = ("Grüße ", "世界", "🌍", "a", "{", "}", '"', "\\", "\n", "\u2028", " naïve ", "0" * 30)


def reference_events(stream: bytes) -> Events:
    """Return the events of a whole stream, written after the standard's text, with nothing in mind but to be right."""
    text = stream.decode("utf-8", "replace").removeprefix("\ufeff")
    events: Events = []
    data, kind = "", ""
    for line in re.split(r"\r\n|\r|\n", text)[:-1]:
        if line == "":
            if data:
                events.append((kind, data.removesuffix("\n")))
            data, kind = "", ""
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "event":
                kind = value
            elif name == "data":
                data += value + "\n"
    return events


def read_in_pieces(stream: bytes, rng: random.Random) -> Events:
    """Return what the reader makes of the stream when it arrives in pieces of random lengths."""
    reader = SseReader()
    return [event for piece in pieces_of(stream, rng) for event in reader.feed(piece)]


def pieces_of(stream: bytes, rng: random.Random) -> list[bytes]:
    longest = rng.choice((1, 2, 5, 40, 1000))
    pieces, begin = [], 0
    while begin < len(stream):
        end = begin + rng.randint(1, longest)
        pieces.append(stream[begin:end])
        begin = end
    return pieces


def random_stream(rng: random.Random) -> bytes:
    """Return fields, comments, junk and line ends of all kinds in any order."""
    parts = [rng.choice((b"", b"", b"\xef\xbb\xbf"))]
    for _ in range(rng.randint(0, 30)):
        parts += rng.choices(PIECES, k=rng.randint(0, 2))
        parts += rng.choices(ENDS, k=rng.choice((0, 1, 1, 2)))
    return b"".join(parts)


@dataclass(frozen=True)
class Output:
    """A model's output and a stream that carries it, with everything in it that a reader has to ignore."""

    text: str
    stream: bytes


def random_output(rng: random.Random) -> Output:
    """Return a chat completion, cut between any two code units, with comments and empty events between its chunks."""
    text = "".join(rng.choices(WORDS, k=rng.randint(1, 20)))
    units = text.encode("utf-16-le")
    end = rng.choice(ENDS)
    stream = rng.choice((b"", b"\xef\xbb\xbf"))
    begin = 0
    while begin < len(units):
        length = 2 * rng.randint(1, 8)
        delta = units[begin : begin + length].decode("utf-16-le", "surrogatepass")
        begin += length
        stream += _event({"delta": {"content": delta}, "finish_reason": None}, rng, end)
    stream += _event({"delta": {}, "finish_reason": "stop"}, rng, end) + b"data: [DONE]" + end + end
    return Output(text, stream)


def _event(choice: dict[str, object], rng: random.Random, end: bytes) -> bytes:
    payload = json.dumps({"choices": [choice]}).encode()
    with contextlib.suppress(UnicodeEncodeError):  # half a character can only be sent as an escape
        if rng.random() < 0.5:
            payload = json.dumps({"choices": [choice]}, ensure_ascii=False).encode()
    noise = rng.choice(
        (b"", b"", b": keep-alive" + end, b"data:" + end + end, b"event: ping" + end + b"data: {}" + end + end)
    )
    return noise + rng.choice((b"data: ", b"data:")) + payload + end + end


def text_of(output: Output, rng: random.Random) -> str | None:
    """Return the text that the decoder reads; None if it does not know the output as complete."""
    decoder = ChatDecoder()
    text = "".join(decoder.feed(piece) for piece in pieces_of(output.stream, rng)) + decoder.end()
    return text if decoder.complete and decoder.fault is None else None


def differences(inputs: int, seed: int) -> int:
    """Return how many of the inputs are read in another way than the reference reads them."""
    rng = random.Random(seed)
    found = 0
    for number in range(inputs):
        if number % 2:
            output = random_output(rng)
            found += text_of(output, rng) != output.text
        else:
            stream = random_stream(rng)
            found += read_in_pieces(stream, rng) != reference_events(stream)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    began = time.perf_counter()
    found = differences(asked.inputs, asked.seed)
    seconds = time.perf_counter() - began
    sys.stdout.write(f"{asked.inputs} inputs, seed {asked.seed}: {found} differences in {seconds:.0f} s\n")
    raise SystemExit(found > 0)


if __name__ == "__main__":
    main()
