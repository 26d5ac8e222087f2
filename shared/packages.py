"""Postpone the `__init__` of packages that import hundreds of modules which a function never uses."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from threading import RLock
from types import ModuleType
from typing import Any


def postpone_init(package: str) -> None:
    """Run the package's `__init__`, and those of the packages inside it, when one of their names is first used.

    Importing a module of such a package then imports this module only. A package that is already imported stays as it
    is. Names that `__init__` defines are the same as without this function, but they come later.
    """
    if package not in _POSTPONED.packages:
        _POSTPONED.packages.append(package)
    if _POSTPONED not in sys.meta_path:
        sys.meta_path.insert(0, _POSTPONED)


class _Finder(MetaPathFinder):
    """Find packages as Python does, and load those that are listed later."""

    def __init__(self) -> None:
        self.packages: list[str] = []

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not any(fullname == package or fullname.startswith(f"{package}.") for package in self.packages):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None and spec.submodule_search_locations is not None:
            spec.loader = _LaterLoader(spec.loader)
        return spec


class _LaterLoader(Loader):
    """Make a package's module as `loader` does, without running its `__init__`."""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__class__ = _PostponedPackage


class _PostponedPackage(ModuleType):
    """A package that runs its `__init__` when a name is read that it does not have yet."""

    def __getattr__(self, name: str) -> Any:
        with _RUNNING:
            if self.__spec__ is not None and isinstance(later := self.__spec__.loader, _LaterLoader):
                self.__spec__.loader = self.__loader__ = later.loader
                try:
                    later.loader.exec_module(self)
                except BaseException:
                    self.__spec__.loader = later  # the next use runs it again
                    raise
                package: Any = self
                package.__class__ = ModuleType
            if type(self) is not _PostponedPackage:
                return getattr(self, name)
        # `__init__` is running, and imports a module that imports this package.
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}", name=name, obj=self)


_POSTPONED = _Finder()
_RUNNING = RLock()  # another thread waits until `__init__` has run
