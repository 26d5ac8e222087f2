"""Read the index of an MP4 file as ISO/IEC 14496-12 describes it, to compare with what the libraries say."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_CONTAINERS = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl"})


@dataclass(frozen=True, slots=True)
class Index:
    """What a file with one track says of itself. `seconds` is the sum of its frames; `key_frames` count from 0."""

    boxes: tuple[str, ...]
    width: int
    height: int
    seconds: float
    frames: int
    key_frames: tuple[int, ...]
    created: int


def read_index(content: bytes) -> Index:
    """Return the index of the file."""
    found = dict(_boxes(content))
    header, samples, syncs = found[b"mdhd"], found[b"stsz"], found.get(b"stss", b"")
    created, _, scale = struct.unpack_from(">III", header, 4)
    times = found[b"stts"]
    runs = [struct.unpack_from(">II", times, 8 + 8 * n) for n in range(struct.unpack_from(">I", times, 4)[0])]
    width, height = struct.unpack_from(">II", found[b"tkhd"], len(found[b"tkhd"]) - 8)
    keys = [struct.unpack_from(">I", syncs, 8 + 4 * n)[0] - 1 for n in range(struct.unpack_from(">I", syncs, 4)[0])]
    return Index(
        boxes=tuple(name.decode("latin-1") for name, _ in _boxes(content, containers=frozenset())),
        width=width >> 16,
        height=height >> 16,
        seconds=sum(frames * ticks for frames, ticks in runs) / scale,
        frames=struct.unpack_from(">I", samples, 8)[0],
        key_frames=tuple(keys),
        created=created,
    )


def _boxes(content: bytes, containers: frozenset[bytes] = _CONTAINERS) -> Iterator[tuple[bytes, bytes]]:
    position = 0
    while position < len(content):
        size, name = struct.unpack_from(">I4s", content, position)
        body = content[position + 8 : position + size]
        if name in containers:
            yield from _boxes(body, containers)
        else:
            yield name, body
        position += size
