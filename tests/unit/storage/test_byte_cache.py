"""A process keeps the versions that it used last, and no more than fit."""

from __future__ import annotations

from shared.apps.video.storage.version_cache import VersionCache


def test_the_versions_that_were_used_last_are_kept() -> None:
    cache = VersionCache(most=10)
    for name in "abc":
        cache.add(("prj", name), name * 3)
    assert cache.get([("prj", "a")])

    cache.add(("prj", "d"), "dddd")

    assert set(cache.get([("prj", each) for each in "abcd"])) == {("prj", "a"), ("prj", "c"), ("prj", "d")}


def test_a_version_that_is_larger_than_the_cache_is_not_kept() -> None:
    cache = VersionCache(most=3)
    cache.add(("prj", "a"), "aaaa")
    assert cache.get([("prj", "a")]) == {}


def test_a_version_that_is_added_again_counts_once() -> None:
    cache = VersionCache(most=6)
    for _ in range(3):
        cache.add(("prj", "a"), "aaa")
    cache.add(("prj", "b"), "bbb")
    assert len(cache.get([("prj", "a"), ("prj", "b")])) == 2


def test_a_deleted_project_is_forgotten() -> None:
    cache = VersionCache()
    cache.add(("one", "a"), "x")
    cache.add(("two", "a"), "y")

    cache.forget("one")

    assert cache.get([("one", "a"), ("two", "a")]) == {("two", "a"): "y"}
