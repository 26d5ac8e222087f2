"""WorkbookData and SessionFiles, in memory and on S3, keep what workbooks consist of."""

from __future__ import annotations

import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from shared.apps.sheets.session_store import DataGone, Retained, VersionData
from shared.storage.byte_cache import ByteCache
from shared.storage.objects import AT_ONCE, ObjectGone, Objects, at_once
from tests.patience import PATIENCE
from tests.storage.ports import AwsServer, Ports, workbook_data

LATER = datetime(2100, 1, 1, tzinfo=UTC)
EARLIER = datetime(2000, 1, 1, tzinfo=UTC)
MANY = {f"{number:024x}": f"block {number}".encode() for number in range(2 * AT_ONCE)}


@pytest.fixture
def session_id(owner: str) -> str:
    return f"ses of {owner}"


def a_version(snapshot: bytes = b"snapshot", **blocks: bytes) -> VersionData:
    return VersionData(blocks, "m1", b"the map", snapshot, "engine-1")


def test_all_data_of_a_version_can_be_read(ports: Ports, session_id: str) -> None:
    data = ports.workbook_data
    snapshot = data.store(session_id, VersionData(MANY, "m1", b"the map", b"snapshot", "engine-1"))
    assert snapshot.startswith("engine-1-")
    assert data.blocks(session_id, MANY) == MANY
    assert data.block(session_id, min(MANY)) == b"block 0"
    assert data.map(session_id, "m1") == b"the map"
    assert data.snapshot(session_id, snapshot) == b"snapshot"


def test_storing_data_again_changes_nothing(ports: Ports, session_id: str) -> None:
    first, again = (ports.workbook_data.store(session_id, a_version(b1=b"block")) for _ in range(2))
    assert first == again
    assert ports.workbook_data.block(session_id, "b1") == b"block"


def test_data_of_another_session_is_gone(ports: Ports, session_id: str) -> None:
    snapshot = ports.workbook_data.store(session_id, a_version(b1=b"block"))
    for read, name in (
        (ports.workbook_data.block, "b1"),
        (ports.workbook_data.map, "m1"),
        (ports.workbook_data.snapshot, snapshot),
    ):
        with pytest.raises(DataGone):
            read(f"not {session_id}", name)


def test_missing_names_what_is_not_stored(ports: Ports, session_id: str) -> None:
    snapshot = ports.workbook_data.store(session_id, a_version(b1=b"block"))
    missing = ports.workbook_data.missing(
        session_id, maps=["m1", "m2"], snapshots=[snapshot, "other"], blocks=["b1", "b2"]
    )
    assert sorted(missing) == ["b2", "m2", "other"]


def test_thinning_deletes_what_is_old_and_not_retained(ports: Ports, session_id: str) -> None:
    data = ports.workbook_data
    kept = data.store(session_id, a_version(b1=b"one", b2=b"two"))
    other = data.store(session_id, VersionData({}, "m2", b"a map", b"another", "engine-1"))
    retained = Retained(blocks=frozenset({"b1"}), maps=frozenset({"m1"}), snapshots=frozenset({kept}))
    assert data.thin(session_id, retained, before=EARLIER) == 0
    assert data.thin(session_id, retained, before=LATER) == 3
    assert data.missing(session_id, maps=["m1", "m2"], snapshots=[kept, other], blocks=["b1", "b2"]) == [
        "m2",
        other,
        "b2",
    ]
    assert data.thin(session_id, retained, before=LATER) == 0


def test_deleting_removes_the_data_and_files_of_one_session(ports: Ports, session_id: str, tmp_path: Path) -> None:
    data, other = ports.workbook_data, f"{session_id} 2"
    file = tmp_path / "file"
    file.write_bytes(b"source")
    for each in (session_id, other):
        data.store(each, a_version(b1=b"block"))
        data.upload(f"sheets/{each}/source", file, content_type="text/csv")
    for _ in range(2):
        data.delete(session_id)
    assert data.missing(session_id, maps=["m1"], blocks=["b1"]) == ["m1", "b1"]
    assert data.info(f"sheets/{session_id}/source") is None
    assert data.info(f"sheets/{other}/source") is not None
    assert data.block(other, "b1") == b"block"


def test_files_are_uploaded_and_downloaded_whole(ports: Ports, session_id: str, tmp_path: Path) -> None:
    source, copy = tmp_path / "source", tmp_path / "copy"
    source.write_bytes(bytes(range(256)) * 10_000)
    key = f"sheets/{session_id}/source"
    ports.workbook_data.upload(key, source, content_type="text/csv")
    ports.workbook_data.download(key, copy)
    assert copy.read_bytes() == source.read_bytes()
    info = ports.workbook_data.info(key)
    assert info is not None
    assert info.bytes == 2_560_000
    assert len(info.etag) == 32


def test_a_file_that_is_not_stored_is_gone(ports: Ports, session_id: str, tmp_path: Path) -> None:
    assert ports.workbook_data.info(f"sheets/{session_id}/none") is None
    with pytest.raises(DataGone):
        ports.workbook_data.download(f"sheets/{session_id}/none", tmp_path / "copy")


def test_a_client_writes_and_reads_by_signed_urls(moto: AwsServer, session_id: str) -> None:
    data = workbook_data(moto)
    key = f"sheets/{session_id}/source"
    upload = data.upload_url(key, size=5, content_type="text/csv")
    request = urllib.request.Request(upload.url, data=b"1,2\n3", headers=dict(upload.headers), method="PUT")
    urllib.request.urlopen(request, timeout=PATIENCE).close()
    with urllib.request.urlopen(data.download_url(key, name="Umsätze 2026.csv"), timeout=PATIENCE) as response:
        assert response.read() == b"1,2\n3"
        disposition = response.headers["Content-Disposition"]
    assert disposition == "attachment; filename*=UTF-8''Ums%C3%A4tze%202026.csv"


def test_the_signature_of_an_upload_covers_its_length_and_type(moto: AwsServer, session_id: str) -> None:
    upload = workbook_data(moto).upload_url(f"sheets/{session_id}/source", size=5, content_type="text/csv")
    assert "X-Amz-SignedHeaders=content-length%3Bcontent-type%3Bhost" in upload.url
    assert "X-Amz-Expires=900" in upload.url
    assert upload.headers == {"Content-Length": "5", "Content-Type": "text/csv"}


def test_a_block_in_the_cache_is_read_once(moto: AwsServer, session_id: str) -> None:
    counted: list[tuple[int, int]] = []
    data = workbook_data(moto, cache=ByteCache(1000))
    data._count = lambda hits, misses: counted.append((hits, misses))
    workbook_data(moto).store(session_id, a_version(b1=b"one", b2=b"two"))
    assert data.blocks(session_id, ["b1"]) == {"b1": b"one"}
    assert data.blocks(session_id, ["b1", "b2"]) == {"b1": b"one", "b2": b"two"}
    assert counted == [(0, 1), (1, 1)]


def test_what_a_process_has_stored_is_in_its_cache(moto: AwsServer, session_id: str) -> None:
    data = workbook_data(moto, cache=ByteCache(1000))
    data.store(session_id, a_version(b1=b"one"))
    Objects(moto.bucket).delete([f"sheets/{session_id}/blocks/b1", f"sheets/{session_id}/maps/m1"])
    assert data.block(session_id, "b1") == b"one"
    assert data.map(session_id, "m1") == b"the map"


def test_an_object_that_may_not_be_read_is_not_taken_for_missing(
    moto: AwsServer, session_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = Objects(moto.bucket)
    objects.put(f"sheets/{session_id}/kept", b"1")

    def refuse(**_: object) -> None:
        response: Any = {"Error": {"Code": "AccessDenied"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
        raise moto.s3.exceptions.ClientError(response, "GetObject")

    monkeypatch.setattr(moto.s3, "get_object", refuse)
    with pytest.raises(moto.s3.exceptions.ClientError, match="AccessDenied"):
        objects.get(f"sheets/{session_id}/kept")
    with pytest.raises(ObjectGone):
        objects.get(f"sheets/{session_id}/kep")


def test_at_once_returns_results_in_order_and_raises_what_failed() -> None:
    assert at_once(lambda number: number * 2, range(100)) == list(range(0, 200, 2))
    assert at_once(str, []) == []
    with pytest.raises(ZeroDivisionError):
        at_once(lambda number: 1 // number, [1, 0, 2])
