"""Apply changes to a project, also if it has changed since they were made, and tell two of its states apart.

Additions and moves are applied to whatever the project is now. A change to a scene or component is applied only to the
version that it was made from, so that no change of another message is lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from shared.apps.video.changes import FIRST, MoveScene, PutComponent, PutScene, RemoveScene, SetProject
from shared.apps.video.manifest import ComponentEntry, Manifest, SceneEntry
from shared.apps.video.models import BuiltChange, ChangeMade
from shared.apps.video.project import Project
from shared.apps.video.project_store import MOST_VERSIONS
from shared.apps.video.scene import MAX_SCENES, Build, ComponentVersion, Format, SceneVersion
from shared.errors import ChangeRefused, SceneChanged


class State(Protocol):
    """What a project is at a revision."""

    @property
    def title(self) -> str: ...

    @property
    def format(self) -> Format: ...

    @property
    def manifest(self) -> Manifest: ...


@dataclass(frozen=True, slots=True)
class Applied:
    """The next revision of a project: its state, the new versions, and how it differs from the one before."""

    title: str
    format: Format
    manifest: Manifest
    scenes: tuple[SceneVersion, ...] = ()
    components: tuple[ComponentVersion, ...] = ()
    changes: tuple[ChangeMade, ...] = ()


def apply_changes(project: Project, changes: Sequence[BuiltChange], *, at: datetime) -> Applied:
    """Return the project's next revision with these changes, in their order. New versions get the revision's number.

    Without a difference, `changes` of the result are empty: then there is no next revision.

    Raises:
        SceneChanged: a scene or component that is changed or removed does not have its `base_version` any more.
        ChangeRefused: the project would have more than MAX_SCENES scenes, or the change has too many versions.
    """
    work = _Work(project, at)
    for each in changes:
        work.apply(each)
    return work.applied()


@dataclass(slots=True)
class _Work:
    """The state of a project while changes are applied to it."""

    project: Project
    at: datetime
    title: str = field(init=False)
    format: Format = field(init=False)
    entries: list[SceneEntry] = field(init=False)
    components: dict[str, ComponentEntry] = field(init=False)
    new_scenes: dict[str, SceneVersion] = field(default_factory=dict)
    formats: dict[str, Format | None] = field(default_factory=dict)
    """In which format each new version was played; None if that is not known."""
    played: frozenset[tuple[str, int]] = frozenset()
    """The versions that were played in the format that the project gets."""
    new_components: dict[str, ComponentVersion] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.title, self.format = self.project.title, self.project.format
        self.entries = list(self.project.manifest.scenes)
        self.components = {each.name: each for each in self.project.manifest.components}

    @property
    def version(self) -> int:
        return self.project.revision + 1

    def apply(self, built: BuiltChange) -> None:
        change = built.change
        match change:
            case PutScene():
                self._put_scene(change, _build_of(built))
                self.formats[change.scene_id] = built.format
            case RemoveScene():
                self._check_scene(change.scene_id, change.base_version)
                self.new_scenes.pop(change.scene_id, None)
                self.entries = [each for each in self.entries if each.scene_id != change.scene_id]
            case MoveScene():
                entry = self.entries.pop(self._index(change.scene_id))
                self._insert(entry, change.after)
            case PutComponent():
                self._put_component(change, _build_of(built))
            case SetProject():
                self.title = change.title or self.title
                self.format = change.format or self.format
                self.played = frozenset((each.scene_id, each.version) for each in built.played)

    def applied(self) -> Applied:
        if len(self.entries) > MAX_SCENES:
            raise ChangeRefused(f"a project has at most {MAX_SCENES} scenes; remove some first: nothing was changed")
        if len(self.new_scenes) + len(self.new_components) > MOST_VERSIONS:
            raise ChangeRefused(
                f"one message changes at most {MOST_VERSIONS} scenes; change fewer at once: nothing was changed"
            )
        self._check_formats()
        after = Applied(
            title=self.title,
            format=self.format,
            manifest=Manifest(scenes=tuple(self.entries), components=tuple(self.components.values())),
            scenes=tuple(self.new_scenes.values()),
            components=tuple(self.new_components.values()),
        )
        return with_changes(self.project, after)

    def _check_formats(self) -> None:
        """Raise SceneChanged if a scene was not played in the format that the project has with these changes."""
        for entry in self.entries:
            if entry.scene_id in self.new_scenes:
                played = self.formats[entry.scene_id] in {None, self.format}
            else:
                played = self.format == self.project.format or (entry.scene_id, entry.version) in self.played
            if not played:
                raise SceneChanged(
                    f"scene “{entry.name}” was not played at {self.format}: the scene or the project's format was "
                    "changed while this message was answered. Nothing was changed; send the message again"
                )

    def _put_scene(self, change: PutScene, build: Build) -> None:
        draft = change.draft
        entry = SceneEntry(
            scene_id=change.scene_id,
            version=self.version,
            name=draft.name,
            duration_in_frames=draft.duration_in_frames,
            playback_rate=draft.playback_rate,
            digest=build.digest,
        )
        self._check_scene(change.scene_id, change.base_version)
        if change.base_version is None:
            self.entries = [each for each in self.entries if each.scene_id != change.scene_id]
            self._insert(entry, change.after)
        else:
            self.entries[self._index(change.scene_id)] = entry
        self.new_scenes[change.scene_id] = SceneVersion(
            scene_id=change.scene_id, version=self.version, draft=draft, build=build, created_at=self.at
        )

    def _put_component(self, change: PutComponent, build: Build) -> None:
        stored = self.project.manifest.component(change.name)
        if change.base_version != (stored.version if stored else None):
            raise SceneChanged(_changed(f"component {change.name}", stored.version if stored else None))
        self.components[change.name] = ComponentEntry(name=change.name, version=self.version, digest=build.digest)
        self.new_components[change.name] = ComponentVersion(
            version=self.version, draft=change.draft, build=build, created_at=self.at
        )

    def _check_scene(self, scene_id: str, base_version: int | None) -> None:
        """Raise SceneChanged if the project's scene does not have the version that the change was made from."""
        stored = self.project.manifest.scene(scene_id)
        if base_version != (stored.version if stored else None):
            name = f"scene “{stored.name}”" if stored else f"scene {scene_id}"
            raise SceneChanged(_changed(name, stored.version if stored else None))
        if stored is not None:
            self._index(scene_id)

    def _index(self, scene_id: str) -> int:
        """Return the scene's index. Raises SceneChanged if it was removed."""
        found = next((index for index, each in enumerate(self.entries) if each.scene_id == scene_id), None)
        if found is None:
            raise SceneChanged(_changed(f"scene {scene_id}", None))
        return found

    def _insert(self, entry: SceneEntry, after: str | None) -> None:
        """Insert the entry behind the scene `after`; last if `after` is None or was removed meanwhile."""
        self.entries.insert(insertion_index(self.entries, after), entry)


def insertion_index(entries: Sequence[SceneEntry], after: str | None) -> int:
    """Return the index behind the scene `after`: 0 for FIRST, the end for None and for a scene that is not there."""
    if after == FIRST:
        return 0
    return next((index + 1 for index, each in enumerate(entries) if each.scene_id == after), len(entries))


def with_changes(before: State, after: Applied) -> Applied:
    """Return `after` with its differences from `before`."""
    return Applied(
        after.title, after.format, after.manifest, after.scenes, after.components, tuple(differences(before, after))
    )


def differences(before: State, after: State) -> Iterator[ChangeMade]:
    """Yield how `after` differs from `before`: its scenes in their order, then removed scenes, then all else.

    As few scenes as possible are called moved; a scene that was changed and moved is called changed.
    """
    moved = _moved(before.manifest, after.manifest)
    for scene in after.manifest.scenes:
        old = before.manifest.scene(scene.scene_id)
        if old is None:
            yield ChangeMade(change="added", id=scene.scene_id, name=scene.name, after=scene.version)
        elif old.version != scene.version:
            yield ChangeMade(
                change="changed", id=scene.scene_id, name=scene.name, before=old.version, after=scene.version
            )
        elif scene.scene_id in moved:
            yield ChangeMade(
                change="moved", id=scene.scene_id, name=scene.name, before=old.version, after=scene.version
            )
    for old in before.manifest.scenes:
        if after.manifest.scene(old.scene_id) is None:
            yield ChangeMade(change="removed", id=old.scene_id, name=old.name, before=old.version)
    yield from _other_differences(before, after)


def _other_differences(before: State, after: State) -> Iterator[ChangeMade]:
    old = {each.name: each.version for each in before.manifest.components}
    new = {each.name: each.version for each in after.manifest.components}
    for name in dict.fromkeys((*new, *old)):
        if old.get(name) != new.get(name):
            yield ChangeMade(change="component", id=name, name=name, before=old.get(name), after=new.get(name))
    if before.title != after.title:
        yield ChangeMade(change="project", id="title", name=after.title)
    if before.format != after.format:
        yield ChangeMade(change="project", id="format", name=str(after.format))


def _moved(before: Manifest, after: Manifest) -> frozenset[str]:
    """Return the fewest scenes that were moved: those outside a longest run of scenes that kept their order."""
    places = {each.scene_id: index for index, each in enumerate(before.scenes)}
    common = [each.scene_id for each in after.scenes if each.scene_id in places]
    runs: list[list[str]] = [[]]
    """The longest runs in the old order, one for each common scene, which is its last."""
    for scene_id in common:
        earlier = [run for run in runs if not run or places[run[-1]] < places[scene_id]]
        longest = max(earlier, key=len)
        runs.append([*longest, scene_id])
    longest = max(runs, key=len)
    return frozenset(common) - frozenset(longest)


def _build_of(built: BuiltChange) -> Build:
    if built.build is None:
        raise ValueError(f"a {built.change.kind} needs the build of its draft")
    return built.build


def _changed(what: str, version: int | None) -> str:
    now = "was removed" if version is None else f"has version {version} now"
    return f"{what} {now}: it was changed while this message was answered. Nothing was changed; send the message again"
