"""Images of a project: announced, uploaded, checked by content, and read for a chat."""

from __future__ import annotations

import hashlib

import pytest

from shared.apps.video.image_store import MAX_IMAGE_BYTES, MOST_IMAGES, Image, ImageStatus, NoProject, StaleImage
from shared.apps.video.images import ImageReader, Images, NewImage
from shared.errors import Conflict, DataLost, ErrorCode, Forbidden, InvalidInput, NotFound
from tests.fakes.clock import SettableClock
from tests.fakes.images import FakeImageFiles, FakeImageStore
from tests.fakes.pictures import jpeg_of
from tests.fakes.png import png_of

PNG = png_of(200, 40, 90, width=6, height=3)
ADA, OTHER = "ada", "bob"
PROJECT, FOREIGN = "prj_ada", "prj_bob"


class World:
    def __init__(self) -> None:
        self.clock = SettableClock()
        self.store = FakeImageStore()
        self.files = FakeImageFiles(clock=self.clock)
        self.images = Images(store=self.store, files=self.files, require_owned=require_owned, clock=self.clock)
        self.reader = ImageReader(self.store, self.files)

    def announced(self, content: bytes = PNG, *, project_id: str = PROJECT, sha256: str | None = None) -> Image:
        new = NewImage("logo.png", "image/png", len(content), sha256)
        image, form = self.images.create(ADA if project_id == PROJECT else OTHER, project_id, new)
        assert form.fields["key"] == f"uploads/{image.id}"
        return image

    def uploaded(self, content: bytes = PNG, *, sha256: str | None = None) -> Image:
        image = self.announced(content, sha256=sha256)
        self.files.send(image.id, content)
        return image

    def completed(self, content: bytes = PNG) -> Image:
        return self.images.complete(ADA, PROJECT, self.uploaded(content).id)

    def refusal(self, image: Image) -> str:
        """Return the rule with which the image is refused, which must be the same when it is completed again."""
        rules = []
        for _ in range(2):
            with pytest.raises(InvalidInput) as refused:
                self.images.complete(ADA, PROJECT, image.id)
            assert refused.value.code is ErrorCode.IMAGE_REFUSED
            (issue,) = refused.value.issues
            assert issue.field == "image"
            rules.append(issue.rule)
        assert rules[0] == rules[1]
        return rules[0]


def require_owned(owner: str, project_id: str) -> None:
    owners = {PROJECT: ADA, FOREIGN: OTHER}
    if project_id not in owners:
        raise NotFound("the project does not exist")
    if owners[project_id] != owner:
        raise Forbidden("the project belongs to another user")


@pytest.fixture
def world() -> World:
    return World()


def test_a_complete_image_has_its_real_size_and_its_digest_and_its_upload_is_deleted(world: World) -> None:
    image = world.completed()
    assert (image.status, image.width, image.height, image.bytes) == (ImageStatus.READY, 6, 3, len(PNG))
    assert image.sha256 == hashlib.sha256(PNG).hexdigest()
    assert world.files.objects == {f"projects/{PROJECT}/images/{image.sha256}": PNG}
    assert world.images.get(ADA, PROJECT, image.id) == image
    assert world.images.url(image) == f"https://bucket.test/projects/{PROJECT}/images/{image.sha256}"
    assert world.reader.read(image).content == PNG


def test_an_image_that_is_completed_twice_is_the_same(world: World) -> None:
    image = world.completed()
    assert world.images.complete(ADA, PROJECT, image.id) == image


def test_the_last_of_several_uploads_counts_and_one_after_completion_changes_nothing(world: World) -> None:
    image = world.uploaded(b"not an image")
    world.files.send(image.id, PNG)
    ready = world.images.complete(ADA, PROJECT, image.id)
    world.files.send(image.id, png_of(1, 1, 1))
    assert world.images.complete(ADA, PROJECT, image.id) == ready
    assert world.reader.read(ready).content == PNG


def test_an_image_cannot_be_completed_before_its_upload(world: World) -> None:
    image = world.announced()
    with pytest.raises(Conflict, match="nothing was uploaded yet"):
        world.images.complete(ADA, PROJECT, image.id)
    world.clock.advance(300)
    with pytest.raises(Conflict, match="form has expired; create another image"):
        world.images.complete(ADA, PROJECT, image.id)
    assert world.images.url(image) is None


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        pytest.param(b"<svg/>", "SVG", id="svg"),
        pytest.param(jpeg_of(6, 3), "must be the image/png that was declared; it is image/jpeg", id="another type"),
        pytest.param(PNG + b"<html>", "6 bytes behind its end", id="polyglot"),
        pytest.param(PNG + b"\0" * MAX_IMAGE_BYTES, "at most 8 MiB", id="too large"),
    ],
)
def test_a_file_that_is_no_usable_image_is_refused_permanently(world: World, content: bytes, rule: str) -> None:
    image = world.announced(b"x")
    world.files.send(image.id, content)
    assert rule in world.refusal(image)
    assert world.files.objects == {}
    world.files.send(image.id, PNG)
    assert rule in world.refusal(image)
    assert world.images.get(ADA, PROJECT, image.id).status is ImageStatus.REFUSED


def test_a_file_with_another_digest_than_declared_is_refused(world: World) -> None:
    assert "sha256 that was declared" in world.refusal(world.uploaded(sha256="0" * 64))
    good = world.uploaded(sha256=hashlib.sha256(PNG).hexdigest())
    assert world.images.complete(ADA, PROJECT, good.id).status is ImageStatus.READY


def test_two_requests_that_complete_an_image_at_once_agree(world: World) -> None:
    image = world.uploaded()

    def be_faster() -> None:
        world.store.before_finish = lambda: None
        world.images.complete(ADA, PROJECT, image.id)

    world.store.before_finish = be_faster
    ready = world.images.complete(ADA, PROJECT, image.id)
    assert ready == world.store.get(PROJECT, image.id)
    assert world.reader.read(ready).content == PNG


def test_an_image_whose_upload_another_request_has_just_completed_is_ready(world: World) -> None:
    image = world.uploaded()
    upload = world.files.upload

    def late(image_id: str) -> bytes | None:
        world.files.upload = upload  # type: ignore[method-assign]
        world.images.complete(ADA, PROJECT, image_id)
        return upload(image_id)

    world.files.upload = late  # type: ignore[method-assign]
    assert world.images.complete(ADA, PROJECT, image.id).status is ImageStatus.READY


def test_an_image_that_is_announced_while_its_project_is_deleted_is_not_stored(world: World) -> None:
    def refuse() -> None:
        raise NoProject

    world.store.before_add = refuse
    with pytest.raises(NotFound, match="was deleted"):
        world.announced()


def test_a_project_has_a_limited_number_of_images(world: World) -> None:
    for _ in range(MOST_IMAGES):
        world.announced()
    with pytest.raises(Conflict, match="has 200 images, which is the most; use one of them, or another project"):
        world.announced()


def test_an_image_that_is_completed_while_its_project_is_deleted_leaves_nothing(world: World) -> None:
    image = world.uploaded()

    def hide() -> None:
        raise StaleImage

    world.store.before_finish = hide
    with pytest.raises(NotFound):
        world.images.complete(ADA, PROJECT, image.id)
    assert not [key for key in world.files.objects if key.startswith("projects/")]


def test_an_image_of_a_project_that_is_deleted_meanwhile_leaves_nothing(world: World) -> None:
    image = world.uploaded()
    world.store.before_finish = world.store.images.clear
    with pytest.raises(NotFound):
        world.images.complete(ADA, PROJECT, image.id)
    assert not [key for key in world.files.objects if key.startswith("projects/")]


@pytest.mark.parametrize("image_id", ["img_unknown", "", f"img_{'0' * 26}"])
def test_an_unknown_image_is_not_found(world: World, image_id: str) -> None:
    with pytest.raises(NotFound):
        world.images.get(ADA, PROJECT, image_id)
    with pytest.raises(NotFound):
        world.images.complete(ADA, PROJECT, image_id)


def test_images_of_others_are_forbidden_and_those_of_another_project_are_not_found(world: World) -> None:
    image = world.completed()
    for act in (world.images.get, world.images.complete):
        with pytest.raises(Forbidden):
            act(OTHER, PROJECT, image.id)
        with pytest.raises(NotFound):
            act(OTHER, FOREIGN, image.id)
    with pytest.raises(Forbidden):
        world.images.create(OTHER, PROJECT, NewImage("a.png", "image/png", 1))
    with pytest.raises(Forbidden):
        world.images.page(OTHER, PROJECT, limit=1, cursor=None)


def test_pages_list_the_newest_images_first(world: World) -> None:
    made = []
    for _ in range(3):
        made.append(world.announced().id)
        world.clock.advance(1)
    first, cursor = world.images.page(ADA, PROJECT, limit=2, cursor=None)
    rest, end = world.images.page(ADA, PROJECT, limit=2, cursor=cursor)
    assert [each.id for each in (*first, *rest)] == made[::-1]
    assert end is None
    with pytest.raises(InvalidInput, match="cursor"):
        world.images.page(ADA, PROJECT, limit=2, cursor="img_x")


def test_a_chat_gets_the_ready_images_in_its_order(world: World) -> None:
    first, second = world.completed(), world.completed(png_of(1, 2, 3))
    assert world.reader.ready(PROJECT, [second.id, first.id]) == [second, first]
    assert world.reader.ready(PROJECT, []) == []


def test_a_chat_with_unusable_images_is_told_each_of_them(world: World) -> None:
    ready, pending, refused = world.completed(), world.announced(), world.uploaded(b"x")
    world.refusal(refused)
    foreign = world.announced(project_id=FOREIGN)
    with pytest.raises(InvalidInput) as told:
        world.reader.ready(PROJECT, [ready.id, "img_1", foreign.id, pending.id, refused.id])
    assert [each.field for each in told.value.issues] == [f"imageIds.{number}" for number in (1, 2, 3, 4)]
    rules = [each.rule for each in told.value.issues]
    assert rules[0] == rules[1] == "must be the id of an image of this project"
    assert "complete" in rules[2]
    assert "refused" in rules[3]


def test_an_image_whose_bytes_are_gone_says_what_to_do(world: World) -> None:
    image = world.completed()
    world.files.objects.clear()
    with pytest.raises(DataLost, match="upload it again"):
        world.reader.read(image)
