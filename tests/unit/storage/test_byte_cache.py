"""A process keeps the contents that it used last, and no more than fit."""

from __future__ import annotations

from shared.storage.byte_cache import ByteCache


def test_the_contents_that_were_used_last_are_kept() -> None:
    cache = ByteCache[str](most_bytes=10)
    cache.add({"a": b"1234", "b": b"1234"})
    assert cache.get(["a", "c"]) == {"a": b"1234"}
    cache.add({"c": b"1234"})
    assert cache.get(["a", "b", "c"]) == {"a": b"1234", "c": b"1234"}
    cache.add({"a": b"12345678"})
    assert cache.get(["a", "c"]) == {"a": b"12345678"}


def test_a_content_that_is_larger_than_the_cache_is_not_kept() -> None:
    cache = ByteCache[str](most_bytes=3)
    cache.add({"a": b"1234"})
    assert cache.get(["a"]) == {}


def test_a_content_that_is_added_again_counts_once() -> None:
    cache = ByteCache[str](most_bytes=6)
    for _ in range(3):
        cache.add({"a": b"123"})
    cache.add({"b": b"123"})
    assert cache.get(["a", "b"]) == {"a": b"123", "b": b"123"}


def test_what_is_forgotten_makes_room() -> None:
    cache = ByteCache[str](most_bytes=4)
    cache.add({"a": b"12", "b": b"12"})
    cache.forget(["a", "never"])
    cache.add({"c": b"12"})
    assert cache.get(["a", "b", "c"]) == {"b": b"12", "c": b"12"}


def test_all_that_matches_is_forgotten() -> None:
    cache = ByteCache[tuple[str, str]](most_bytes=4)
    cache.add({("one", "a"): b"1", ("two", "a"): b"2", ("one", "b"): b"12"})
    cache.forget_all(lambda key: key[0] == "one")
    assert cache.get([("one", "a"), ("two", "a"), ("one", "b")]) == {("two", "a"): b"2"}
    cache.add({("two", "b"): b"123"})
    assert len(cache.get([("two", "a"), ("two", "b")])) == 2
