"""ImageStore and ImageFiles, in memory, in DynamoDB and on S3; and the form that uploads one file and nothing else."""

from __future__ import annotations

import base64
import json
import urllib.request
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import pytest

from shared.apps.video.ids import new_image_id
from shared.apps.video.image_store import (
    MAX_IMAGE_BYTES,
    Image,
    ImageGone,
    ImageStatus,
    NoProject,
    StaleImage,
    TooManyImages,
    UploadForm,
)
from shared.apps.video.storage import images as stored_images
from shared.apps.video.storage.images import S3ImageFiles
from shared.storage.objects import Objects
from tests.apps.video.projects_world import stored_project
from tests.fakes import images as fake_images
from tests.fakes.clock import NOON
from tests.fakes.png import png_of
from tests.forms import post_form
from tests.patience import PATIENCE
from tests.storage.ports import AwsServer, Ports

# Bytes that a parser of texts would change: line ends, and what looks like the end of a form.
PNG = png_of(1, 2, 3) + b"\r\n\n\r--form\xff\0"


@pytest.fixture
def project_id(ports: Ports, owner: str) -> str:
    return stored_project(ports.projects, owner=owner).id


def image_of(project_id: str, milliseconds: int = 1) -> Image:
    return Image(
        id=new_image_id(milliseconds),
        project_id=project_id,
        name="Umsätze.png",
        type="image/png",
        bytes=len(PNG),
        created_at=NOON,
        form_expires_at=NOON,
    )


def ready(image: Image) -> Image:
    return image.model_copy(update={"status": ImageStatus.READY, "sha256": "ab" * 32, "width": 3, "height": 2})


def test_an_image_is_stored_and_finished_once(ports: Ports, project_id: str) -> None:
    image = image_of(project_id)
    ports.images.add(image)
    assert ports.images.get(project_id, image.id) == image
    ports.images.finish(ready(image))
    assert ports.images.get(project_id, image.id) == ready(image)
    with pytest.raises(StaleImage):
        ports.images.finish(ready(image))
    with pytest.raises(StaleImage):
        ports.images.finish(ready(image_of(project_id)))


def test_images_are_those_of_their_project(ports: Ports, project_id: str) -> None:
    first, second = image_of(project_id), image_of(project_id)
    ports.images.add(first)
    ports.images.add(second)
    assert ports.images.get(f"not {project_id}", first.id) is None
    asked = [second.id, first.id, second.id, new_image_id(1)]
    assert ports.images.get_all(project_id, asked) == {first.id: first, second.id: second}
    assert ports.images.get_all(f"not {project_id}", asked) == {}
    assert ports.images.page(f"not {project_id}", limit=9) == []


def test_a_page_has_the_newest_images(ports: Ports, project_id: str) -> None:
    made = [image_of(project_id, milliseconds) for milliseconds in range(1, 6)]
    for image in made:
        ports.images.add(image)
    newest_first = made[::-1]
    assert ports.images.page(project_id, limit=2) == newest_first[:2]
    assert ports.images.page(project_id, limit=2, before=newest_first[1].id) == newest_first[2:4]
    assert ports.images.page(project_id, limit=9, before=newest_first[3].id) == newest_first[4:]


def test_a_project_has_a_limited_number_of_images(
    ports: Ports, project_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (fake_images, stored_images):
        monkeypatch.setattr(module, "MOST_IMAGES", 2)
    first, second, third = (image_of(project_id) for _ in range(3))
    ports.images.add(first)
    ports.images.add(second)
    with pytest.raises(TooManyImages):
        ports.images.add(third)
    assert {each.id for each in ports.images.page(project_id, limit=9)} == {first.id, second.id}


def test_no_image_is_stored_or_finished_while_its_project_is_deleted(ports: Ports, owner: str) -> None:
    project = stored_project(ports.projects, owner=owner)
    pending, late = image_of(project.id), image_of(project.id)
    ports.images.add(pending)

    ports.projects.hide(project)
    for _ in range(2):
        with pytest.raises(NoProject):
            ports.images.add(late)
        with pytest.raises(StaleImage):
            ports.images.finish(ready(pending))
        assert ports.images.get(project.id, late.id) is None
        ports.projects.delete(project.id, purge_at=NOON)


def test_the_bytes_of_an_image_are_kept_and_discarded(ports: Ports, owner: str) -> None:
    image = ready(image_of(owner))
    with pytest.raises(ImageGone):
        ports.image_files.read(image)
    ports.image_files.keep(image, PNG)
    assert ports.image_files.read(image) == PNG
    ports.image_files.discard(image)
    with pytest.raises(ImageGone):
        ports.image_files.read(image)
    ports.image_files.discard(image)


# ---- the form, on moto: it enforces no policy, so local/aws/s3_posts.py does -----------------------------------------


@pytest.fixture
def files(moto: AwsServer) -> S3ImageFiles:
    return S3ImageFiles(Objects(moto.bucket), clock=lambda: datetime.now(UTC))


@pytest.fixture
def image_id() -> str:
    return new_image_id(1)


def form_of(files: S3ImageFiles, image_id: str, size: int = len(PNG)) -> UploadForm:
    return files.upload_form(image_id, size=size, content_type="image/png")


def test_a_form_uploads_exactly_the_file_of_its_image(files: S3ImageFiles, image_id: str, moto: AwsServer) -> None:
    form = form_of(files, image_id)
    assert files.upload(image_id) is None
    assert post_form(form.url, form.fields, PNG) == (204, "")
    assert files.upload(image_id) == PNG
    assert moto.s3.get_object(Bucket=moto.bucket, Key=f"uploads/{image_id}")["ContentType"] == "image/png"
    files.discard_upload(image_id)
    assert files.upload(image_id) is None


def test_a_form_is_valid_for_five_minutes(files: S3ImageFiles, image_id: str) -> None:
    form = form_of(files, image_id)
    left = form.expires_at - datetime.now(UTC)
    assert timedelta(minutes=4) < left <= timedelta(minutes=5)


def test_only_the_first_bytes_of_a_large_upload_are_read(files: S3ImageFiles, image_id: str, moto: AwsServer) -> None:
    moto.s3.put_object(Bucket=moto.bucket, Key=f"uploads/{image_id}", Body=b"x" * (MAX_IMAGE_BYTES + 100))
    assert len(files.upload(image_id) or b"") == MAX_IMAGE_BYTES + 1
    files.discard_upload(image_id)


Change = Callable[[dict[str, str]], Mapping[str, str | None]]


def _policy(fields: Mapping[str, str], **changes: object) -> str:
    policy = {**json.loads(base64.b64decode(fields["policy"])), **changes}
    return base64.b64encode(json.dumps(policy).encode()).decode()


@pytest.mark.parametrize(
    ("change", "content", "status", "code"),
    [
        pytest.param({}, PNG + b"x", 400, "EntityTooLarge", id="too long"),
        pytest.param({}, PNG[1:], 400, "EntityTooSmall", id="too short"),
        pytest.param({}, b"", 400, "EntityTooSmall", id="empty"),
        pytest.param({}, None, 400, "InvalidArgument", id="no file"),
        pytest.param({"key": "uploads/another"}, PNG, 403, '"$key"', id="another key"),
        pytest.param({"key": None}, PNG, 400, "the field key", id="no key"),
        pytest.param({"Content-Type": "text/html"}, PNG, 403, '"$Content-Type"', id="another type"),
        pytest.param({"acl": "public-read"}, PNG, 403, "Extra input fields: acl", id="a field without a condition"),
        pytest.param({"x-amz-signature": "0" * 64}, PNG, 403, "SignatureDoesNotMatch", id="another signature"),
        pytest.param({"x-amz-signature": None}, PNG, 403, "AccessDenied", id="no signature"),
        pytest.param({"policy": None}, PNG, 403, "AccessDenied", id="no policy"),
    ],
)
def test_a_form_that_its_policy_does_not_allow_is_refused(
    files: S3ImageFiles, image_id: str, change: dict[str, str | None], content: bytes | None, status: int, code: str
) -> None:
    form = form_of(files, image_id)
    fields = {name: value for name, value in {**form.fields, **change}.items() if value is not None}
    answered, body = post_form(form.url, fields, content)
    assert (answered, code in body) == (status, True), body
    assert files.upload(image_id) is None


def test_a_policy_that_its_client_has_changed_is_refused(files: S3ImageFiles, image_id: str) -> None:
    form = form_of(files, image_id)
    for policy in (_policy(form.fields, conditions=[]), "not a policy"):
        status, body = post_form(form.url, {**form.fields, "policy": policy}, PNG)
        assert (status, "SignatureDoesNotMatch" in body) == (403, True)
    assert files.upload(image_id) is None


def test_the_url_of_an_image_returns_its_bytes_and_type(files: S3ImageFiles, owner: str) -> None:
    image = ready(image_of(owner.replace(" ", "-")))
    files.keep(image, PNG)
    with urllib.request.urlopen(files.url(image), timeout=PATIENCE) as response:
        assert response.read() == PNG
        assert response.headers["Content-Type"] == "image/png"
