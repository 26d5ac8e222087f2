"""Define the operations and the wire models of projects, and convert projects to them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from fastapi import Header, Path, Request
from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from shared.apps.video.ids import ComponentName, ImageId, SceneId, message_id
from shared.apps.video.image_store import MAX_IMAGE_BYTES, Image, ImageStatus, UploadForm
from shared.apps.video.images import NewImage
from shared.apps.video.job_state import JobState
from shared.apps.video.manifest import ComponentEntry, SceneEntry
from shared.apps.video.models import ChangeMade, Choice, Option, VideoChatInput
from shared.apps.video.operations import Operation as Operation  # noqa: PLC0414 - other modules import it from here
from shared.apps.video.picture import PictureType
from shared.apps.video.preferences import MOST_FACTS, Fact, Preferences
from shared.apps.video.project import Cause, ChatMessage, Project, Revision
from shared.apps.video.queries import Code
from shared.apps.video.scene import FORMATS, Format, SceneVersion
from shared.errors import FieldIssue, InvalidInput
from shared.jobs.job import Fault, Job, JobStatus
from shared.runtime.settings import StreamSettings
from shared.schema import Schema
from shared.texts import PLAIN_KEY, PLAIN_NAME, in_words
from shared.web.body_size import MAX_SENT_BYTES, sent_bytes
from shared.web.urls import Urls

T = TypeVar("T", bound=Schema)

IMMUTABLE = "private, max-age=31536000, immutable"
"""Cache-Control of what never changes: a revision, and a version of a scene."""

_REVISION_TAG = re.compile(r'"rev-([0-9]{1,9})"')

IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=100,
        description='the newest revision that the client has seen, such as `"rev-7"`: if there is a newer one, 412',
    ),
]

ProjectId = Annotated[
    str, Path(alias="projectId", description="the project's id, from the response that created it", max_length=64)
]
PathSceneId = Annotated[
    str, Path(alias="sceneId", description="the scene's id, from the project that has it", max_length=64)
]

PathImageId = Annotated[
    str, Path(alias="imageId", description="the image's id, from the response that announced it", max_length=64)
]

PathRenderId = Annotated[
    str, Path(alias="renderId", description="the render's id, from the response that created it", max_length=64)
]

Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), PLAIN_NAME]
FormatName: TypeAlias = Literal["landscape", "portrait", "square"]


class Entity(StrEnum):
    """The kinds of `data` in this application's responses."""

    PROJECT = "project"
    PROJECT_LIST = "project_list"
    SCENE = "scene"
    PROJECT_MESSAGE = "project_message"
    PROJECT_MESSAGE_LIST = "project_message_list"
    REVISION_LIST = "revision_list"
    PREFERENCES = "preferences"
    IMAGE = "image"
    IMAGE_LIST = "image_list"
    RENDER = "render"
    RENDER_LIST = "render_list"


class _Body(Schema):
    # Clients send the API's names only.
    model_config = ConfigDict(validate_by_name=False, defer_build=False)


def _format_of(named: Any) -> Any:
    """Return the format that a body names; an object is checked field by field."""
    if isinstance(named, dict | Format):
        return named
    if isinstance(named, str) and named in FORMATS:
        return FORMATS[named]
    names = ", ".join(FORMATS)
    raise PydanticCustomError("rule", f"must be one of: {names}; or an object with width, height and fps")


BodyFormat = Annotated[
    Format,
    BeforeValidator(_format_of, json_schema_input_type=FormatName | Format),
    Field(description="the size of the pictures, by name or exactly"),
]


class NewProject(_Body):
    """The body of `POST /projects`."""

    title: Title
    format: BodyFormat = Field(default="landscape", validate_default=True)


class ProjectUpdate(_Body):
    """The body of `PATCH /projects/{projectId}`. Leave a field out to keep it as it is."""

    title: Title | None = None
    format: BodyFormat | None = None


class NewProjectMessage(VideoChatInput):
    """The body of `POST /projects/{projectId}/messages`."""

    model_config = ConfigDict(validate_by_name=False, defer_build=False)


class Reversion(_Body):
    """The body of `POST /projects/{projectId}/revert`: the whole project, or one scene, as it was at a revision."""

    revision: Annotated[int, Field(strict=True, ge=1, le=999_999_999)]
    scene_id: SceneId | None = None


FactName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60), PLAIN_KEY]
FactText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300), PLAIN_NAME]


class PreferencesUpdate(_Body):
    """The body of `PATCH /preferences/video`: a text sets a fact, null removes it; all others stay as they are."""

    facts: dict[FactName, FactText | None] = Field(min_length=1, max_length=MOST_FACTS)


ImageName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^/\\]+$"),
    in_words("must be a file's name without its path: no / and no \\"),
    PLAIN_NAME,
]


Sha256 = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9a-fA-F]{64}$"),
    in_words("must be the file's SHA-256 digest in 64 hexadecimal digits"),
]


class NewImageFile(_Body):
    """The body of `POST /projects/{projectId}/images`: the file that is going to be uploaded.

    If `sha256` is set, in hexadecimal digits, a file with another digest is refused.
    """

    name: ImageName = Field(description="what people call it: no control character and no path")
    content_type: PictureType
    bytes: Annotated[int, Field(strict=True, ge=1, le=MAX_IMAGE_BYTES)]
    sha256: Sha256 | None = None


class SceneCode(Schema):
    """What a version of a scene consists of. `jsCode` is the compiled ES module that a player imports."""

    tsx_code: str
    js_code: str
    props: dict[str, Any]
    images: tuple[ImageId, ...]


class ProjectScene(Schema):
    """A scene of a project. `code` is null if it was not asked for, or is too large for this response: get the scene.

    `digest` is that of the build: two versions with the same digest play the same.
    """

    scene_id: SceneId
    version: int
    name: str
    duration_in_frames: int
    playback_rate: float
    digest: str
    code: SceneCode | None


class ComponentCode(Schema):
    """What a version of a component consists of."""

    tsx_code: str
    js_code: str
    props_example: dict[str, Any]


class ProjectComponent(Schema):
    """A reusable component of a project. `code` is null as that of a scene."""

    name: ComponentName
    version: int
    digest: str
    code: ComponentCode | None


class ProjectDetail(Schema):
    """A project as it is at `revision`: its scenes in the order in which they play, and its components.

    `updatedAt` is when that revision was made.
    """

    project_id: str
    title: str
    format: Format
    revision: int
    duration_in_frames: int
    scenes: tuple[ProjectScene, ...]
    components: tuple[ProjectComponent, ...]
    created_at: datetime
    updated_at: datetime
    project_url: str


class ProjectSummary(Schema):
    """A project in a list."""

    project_id: str
    title: str
    format: Format
    revision: int
    scenes: int
    duration_in_frames: int
    created_at: datetime
    updated_at: datetime
    project_url: str


class ProjectList(Schema):
    """One page of the owner's projects, newest first. Send `cursor` to get the next page; it is null on the last page.

    A page with a cursor may have fewer projects than `limit`: get the next page.
    """

    projects: tuple[ProjectSummary, ...]
    cursor: str | None


class ProjectDeleted(Schema):
    """The id of the project that was deleted, with its scenes, images, chat and jobs."""

    project_id: str


class SceneDetail(Schema):
    """One version of a scene, which never changes."""

    scene_id: SceneId
    version: int
    name: str
    duration_in_frames: int
    playback_rate: float
    tsx_code: str
    js_code: str
    props: dict[str, Any]
    layout_json: dict[str, Any] | None
    images: tuple[ImageId, ...]
    compiler: str
    runtime: str
    digest: str
    created_at: datetime


class MessageAccepted(Schema):
    """A message that was stored, and the job that answers it, with the URLs at which to follow that."""

    message_id: str
    job_id: str
    status: JobStatus
    status_url: str
    stream_url: str


class ProjectMessage(Schema):
    """A message of a project's chat.

    A user's message has the `status` of its job, and its `failure` if that failed. An assistant's message says which
    `choice` of a tool was made, what was changed, and which `revision` the project had then; `options` are answers to
    its question.
    """

    message_id: str
    role: Literal["user", "assistant"]
    kind: Literal["message", "question"]
    text: str
    job_id: str
    image_ids: tuple[ImageId, ...]
    scene_ids: tuple[SceneId, ...]
    answer_to: str | None
    status: JobState
    failure: Fault | None
    choice: Choice | None
    options: tuple[Option, ...]
    revision: int | None
    changes: tuple[ChangeMade, ...]
    created_at: datetime


class ProjectMessageList(Schema):
    """One page of a project's messages, newest first. Send `cursor` for the next page; it is null on the last page."""

    messages: tuple[ProjectMessage, ...]
    cursor: str | None


class RevisionDetail(Schema):
    """A revision of a project: why there is it, and how it differs from the one before."""

    revision: int
    title: str
    cause: Cause
    summary: str
    changes: tuple[ChangeMade, ...]
    scenes: int
    duration_in_frames: int
    created_at: datetime


class RevisionList(Schema):
    """One page of a project's revisions, newest first. Send `cursor` for the next page; it is null on the last page."""

    revisions: tuple[RevisionDetail, ...]
    cursor: str | None


class PreferenceList(Schema):
    """The facts that messages are answered with, of a user for all projects or of one project, the oldest first."""

    project_id: str | None
    facts: tuple[Fact, ...]


class ImageDetail(Schema):
    """An image of a project. It can be used when its `status` is `ready`.

    Until then its type and size in bytes are those that were announced, and its size in pixels is null. `contentUrl` is
    valid for five minutes. `refusal` is the rule that the file of a refused image breaks.
    """

    image_id: ImageId
    status: ImageStatus
    name: str
    content_type: PictureType
    bytes: int
    sha256: str | None
    width: int | None
    height: int | None
    refusal: str | None
    content_url: str | None
    created_at: datetime


class ImageUpload(Schema):
    """A form that sends one file: POST all `fields` as multipart/form-data, and the file as the last field, `file`."""

    url: str
    fields: dict[str, str]
    expires_at: datetime


class ImageWithUpload(ImageDetail):
    """An image that was announced, with the form that uploads it."""

    upload: ImageUpload


class ImageList(Schema):
    """One page of a project's images, newest first. Send `cursor` for the next page; it is null on the last page."""

    images: tuple[ImageDetail, ...]
    cursor: str | None


class ProjectUrls(Urls):
    """Build the URLs of projects and their jobs."""

    def __init__(self, request: Request) -> None:
        super().__init__(request, StreamSettings.read().stream_url)

    def project(self, project_id: str) -> str:
        """Return the URL of the project."""
        return self.api(f"/projects/{project_id}")


def etag_of(revision: int) -> str:
    """Return the ETag of a project at this revision."""
    return f'"rev-{revision}"'


def expected_revision(if_match: str | None) -> int | None:
    """Return the revision that `If-Match` names; None if there is no such header, or it is `*`.

    Raises InvalidInput for a header of another form.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    found = _REVISION_TAG.fullmatch(if_match.strip())
    if found is None:
        raise InvalidInput([FieldIssue("If-Match", 'must be the newest revision that you have seen, such as "rev-7"')])
    return int(found[1])


def detail(project: Project, urls: ProjectUrls, code: Code | None = None) -> ProjectDetail:
    """Return the wire model of a project, with as much code as fits into a response."""
    room = _Room(MAX_SENT_BYTES)
    return ProjectDetail(
        project_id=project.id,
        title=project.title,
        format=project.format,
        revision=project.revision,
        duration_in_frames=project.manifest.duration_in_frames,
        components=tuple(_component(each, code, room) for each in project.manifest.components),
        scenes=tuple(_scene(each, code, room) for each in project.manifest.scenes),
        created_at=project.created_at,
        updated_at=project.updated_at,
        project_url=urls.project(project.id),
    )


def summary(project: Project, urls: ProjectUrls) -> ProjectSummary:
    """Return the wire model of a project in a list."""
    return ProjectSummary(
        project_id=project.id,
        title=project.title,
        format=project.format,
        revision=project.revision,
        scenes=len(project.manifest.scenes),
        duration_in_frames=project.manifest.duration_in_frames,
        created_at=project.created_at,
        updated_at=project.updated_at,
        project_url=urls.project(project.id),
    )


def scene_detail(version: SceneVersion) -> SceneDetail:
    """Return the wire model of a version of a scene."""
    draft = version.draft.model_dump(exclude={"tsx_code"}, by_alias=False)
    return SceneDetail(
        scene_id=version.scene_id,
        version=version.version,
        tsx_code=version.draft.tsx_code,
        js_code=version.build.js_code,
        compiler=version.build.compiler,
        runtime=version.build.runtime,
        digest=version.build.digest,
        created_at=version.created_at,
        **draft,
    )


def message_accepted(job: Job, urls: ProjectUrls) -> MessageAccepted:
    """Return the wire model of a message whose job was created."""
    return MessageAccepted(
        message_id=message_id(job.id, "user"),
        job_id=job.id,
        status=JobStatus.PENDING,
        status_url=urls.status(job.id),
        stream_url=urls.stream(job.id),
    )


def message_detail(message: ChatMessage) -> ProjectMessage:
    """Return the wire model of a message."""
    shown = ProjectMessage.model_fields.keys() & ChatMessage.model_fields.keys()
    return ProjectMessage(message_id=message.id, **{name: getattr(message, name) for name in shown})


def revision_list(revisions: Sequence[Revision]) -> RevisionList:
    """Return the wire model of a page of revisions. The first revision of a project is on the last page."""
    last = revisions[-1].number if revisions else 1
    return RevisionList(
        revisions=tuple(
            RevisionDetail(
                revision=each.number,
                title=each.title,
                cause=each.cause,
                summary=each.summary,
                changes=each.changes,
                scenes=len(each.manifest.scenes),
                duration_in_frames=each.manifest.duration_in_frames,
                created_at=each.created_at,
            )
            for each in revisions
        ),
        cursor=None if last == 1 else str(last),
    )


def new_image(body: NewImageFile) -> NewImage:
    """Return the image that a body announces."""
    sha256 = None if body.sha256 is None else body.sha256.lower()
    return NewImage(name=body.name, type=body.content_type, bytes=body.bytes, sha256=sha256)


def image_detail(image: Image, url: str | None) -> ImageDetail:
    """Return the wire model of an image; `url` is that of its content."""
    return ImageDetail(**_image_fields(image), content_url=url)


def image_with_upload(image: Image, form: UploadForm) -> ImageWithUpload:
    """Return the wire model of an image that was announced."""
    upload = ImageUpload(url=form.url, fields=dict(form.fields), expires_at=form.expires_at)
    return ImageWithUpload(**_image_fields(image), content_url=None, upload=upload)


def _image_fields(image: Image) -> dict[str, Any]:
    shown = ImageDetail.model_fields.keys() & Image.model_fields.keys()
    return {**{name: getattr(image, name) for name in shown}, "image_id": image.id, "content_type": image.type}


def preference_list(preferences: Preferences, project_id: str | None) -> PreferenceList:
    """Return the wire model of preferences."""
    return PreferenceList(project_id=project_id, facts=preferences.facts)


class _Room:
    """The bytes that are left for code in a response."""

    def __init__(self, left: int) -> None:
        self._left = left

    def kept(self, code: T) -> T | None:
        """Return the code and take the room for it, or return None if it does not fit."""
        needed = sent_bytes(code)
        if needed > self._left:
            return None
        self._left -= needed
        return code


def _scene(entry: SceneEntry, code: Code | None, room: _Room) -> ProjectScene:
    version = None if code is None else code.scenes.get(entry.scene_id)
    if version is None:
        return ProjectScene(**entry.model_dump(by_alias=False), code=None)
    draft = version.draft
    shown = SceneCode(tsx_code=draft.tsx_code, js_code=version.build.js_code, props=draft.props, images=draft.images)
    return ProjectScene(**entry.model_dump(by_alias=False), code=room.kept(shown))


def _component(entry: ComponentEntry, code: Code | None, room: _Room) -> ProjectComponent:
    version = None if code is None else code.components.get(entry.name)
    if version is None:
        return ProjectComponent(**entry.model_dump(by_alias=False), code=None)
    draft = version.draft
    shown = ComponentCode(tsx_code=draft.tsx_code, js_code=version.build.js_code, props_example=draft.props_example)
    return ProjectComponent(**entry.model_dump(by_alias=False), code=room.kept(shown))
