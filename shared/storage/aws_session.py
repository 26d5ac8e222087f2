"""A botocore session that reads no more than our services need: what it leaves out is a tenth of a cold start.

botocore's own session and not boto3's, which adds what nobody here uses: S3's transfer manager, and resources.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from botocore.loaders import Loader
from botocore.session import Session


def session_for(services: Sequence[str]) -> Session:
    """A session that can make clients of these services."""
    session = Session()
    session.register_component("data_loader", _OurServices(services))
    return session


class _OurServices(Loader):
    def __init__(self, services: Sequence[str]) -> None:
        super().__init__()
        self._services = services

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 - botocore's name for it
        """Without a look through the folders of all services."""
        return [*self._services]

    def load_data_with_path(self, name: str) -> Any:
        """Return the defaults without any service's endpoints (28 ms to read), because rules give the endpoints."""
        if name != "endpoints":
            return super().load_data_with_path(name)
        found, path = super().load_data_with_path("partitions")
        return {"version": 3, "partitions": [_endpoints_in(each) for each in found["partitions"]]}, path


def _endpoints_in(partition: dict[str, Any]) -> dict[str, Any]:
    """A partition of partitions.json in the words of endpoints.json, without exceptions."""
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
