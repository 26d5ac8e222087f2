"""Make boto3 sessions that read only what our services need, which saves a fifth of a first client's CPU time."""

from __future__ import annotations

import contextlib
import gzip
import json
import sys
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

import botocore.session
from botocore.loaders import JSONFileLoader, Loader


@contextlib.contextmanager
def _empty_managers() -> Iterator[None]:
    """Let s3transfer import an empty `multiprocessing.managers`, unless the real one is already loaded.

    The real one takes 10 ms, for a pool of processes that boto3 never uses.
    """
    name = "multiprocessing.managers"
    if name in sys.modules:
        yield
        return
    sys.modules[name] = empty = ModuleType(name)
    vars(empty)["BaseManager"] = object
    try:
        yield
    finally:
        del sys.modules[name]


try:
    with _empty_managers():
        from boto3.session import Session
except ImportError:  # a version of boto3 that needs more of the module
    from boto3.session import Session


def session_for(services: Sequence[str]) -> Session:
    """Return a session that can make clients of these services."""
    reading = botocore.session.Session()
    reading.register_component("data_loader", _OurServices(services))
    return Session(botocore_session=reading)


class _PlainObjects(JSONFileLoader):
    """Read JSON objects as dict: botocore's OrderedDict takes twice the time, and a dict keeps its order as well."""

    def load_file(self, file_path: str) -> Any:
        """Return the data of the file whose path this is without its suffix; None if there is none."""
        for suffix, opening in (".json", open), (".json.gz", gzip.open):
            with contextlib.suppress(FileNotFoundError), opening(file_path + suffix, "rb") as file:
                return json.loads(file.read().decode())
        return super().load_file(file_path)


class _OurServices(Loader):
    """Load the data of our services only."""

    FILE_LOADER_CLASS = _PlainObjects

    def __init__(self, services: Sequence[str]) -> None:
        super().__init__()
        self._services = services

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 - botocore's name for it
        """Return our services without looking through the folders of all services."""
        return [*self._services]

    def load_data_with_path(self, name: str) -> Any:
        """Return the defaults without any service's endpoints (28 ms to read), because rules give the endpoints."""
        if name != "endpoints":
            return super().load_data_with_path(name)
        found, path = super().load_data_with_path("partitions")
        return {"version": 3, "partitions": [_endpoints_in(each) for each in found["partitions"]]}, path


def _endpoints_in(partition: dict[str, Any]) -> dict[str, Any]:
    """Convert a partition from the format of partitions.json to that of endpoints.json, without exceptions."""
    outputs = partition["outputs"]
    nowhere_else = f"{partition['id']}-global"
    return {
        "partition": partition["id"],
        "dnsSuffix": outputs["dnsSuffix"],
        "regionRegex": partition["regionRegex"],
        "regions": partition["regions"],
        "defaults": {
            "hostname": "{service}.{region}.{dnsSuffix}",
            "protocols": ["https"],
            "signatureVersions": ["v4"],
            "variants": [{"tags": tags} for tags in (["fips"], ["dualstack"], ["dualstack", "fips"])],
        },
        "services": {
            "s3": {
                "defaults": {"signatureVersions": ["s3v4"]},
                "partitionEndpoint": nowhere_else,
                "endpoints": {nowhere_else: {"credentialScope": {"region": outputs["implicitGlobalRegion"]}}},
            }
        },
    }
