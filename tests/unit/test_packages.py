"""Packages whose `__init__` is postponed until one of its names is used."""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

import pytest

from shared import packages

FILES = {
    "songs/__init__.py": "from songs import titles\nfrom .titles import TITLE as TITLE\n__version__ = '1'\n",
    "songs/titles.py": "import songs\nTITLE = 'a title'\nseen_in_a_circle = hasattr(songs, '__version__')\n",
    "songs/verses.py": "VERSE = 'a verse'\n",
    "songs/chords/__init__.py": "from songs.chords.minor import MINOR as MINOR\n",
    "songs/chords/minor.py": "MINOR = 'minor'\n",
    "songs/chords/major.py": "MAJOR = 'major'\n",
}


@pytest.fixture(autouse=True)
def _songs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(packages._POSTPONED, "packages", [])
    monkeypatch.setattr(sys, "meta_path", [each for each in sys.meta_path if each is not packages._POSTPONED])
    yield
    for name in loaded():
        del sys.modules[name]


def loaded() -> set[str]:
    return {name for name in sys.modules if name.partition(".")[0] == "songs"}


def imported(name: str) -> Any:
    return importlib.import_module(name)


def test_a_module_of_the_package_is_imported_without_the_packages_own_imports() -> None:
    packages.postpone_init("songs")

    assert imported("songs.verses").VERSE == "a verse"
    assert imported("songs.chords.major").MAJOR == "major"
    assert loaded() == {"songs", "songs.verses", "songs.chords", "songs.chords.major"}


def test_a_name_of_the_package_runs_its_init() -> None:
    packages.postpone_init("songs")
    songs = imported("songs")
    assert loaded() == {"songs"}

    assert songs.TITLE == "a title"
    assert songs.__version__ == "1"
    assert not songs.titles.seen_in_a_circle
    with pytest.raises(AttributeError, match="songs"):
        _ = songs.nothing
    assert imported("songs.chords").MINOR == "minor"


def test_a_postponed_package_looks_like_any_other_when_its_init_has_run() -> None:
    packages.postpone_init("songs")
    songs: Any = imported("songs")
    _ = songs.TITLE

    assert type(songs).__name__ == "module"
    assert type(songs.__loader__) is type(songs.__spec__.loader) is SourceFileLoader
    assert vars(importlib.reload(songs))["TITLE"] == "a title"


def test_an_init_that_fails_runs_again_at_the_next_use(tmp_path: Path) -> None:
    packages.postpone_init("songs")
    songs = imported("songs")
    (tmp_path / "songs/titles.py").write_text("raise RuntimeError('out of tune')")
    with pytest.raises(RuntimeError, match="out of tune"):
        _ = songs.TITLE

    (tmp_path / "songs/titles.py").write_text("TITLE = 'another title'\n")
    assert songs.TITLE == "another title"


def test_threads_that_use_names_at_the_same_time_all_find_them() -> None:
    packages.postpone_init("songs")
    songs = imported("songs")
    barrier = threading.Barrier(8)
    found: list[str] = []

    def use() -> None:
        barrier.wait()
        found.append(songs.TITLE)

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["a title"] * 8


def test_a_package_that_is_already_imported_stays_as_it_is() -> None:
    songs = imported("songs")
    packages.postpone_init("songs")
    packages.postpone_init("songs")

    assert imported("songs") is songs
    assert "TITLE" in vars(songs)
    assert sys.meta_path.count(packages._POSTPONED) == 1
