"""GET /projects/{projectId}/scenes/{sceneId}: return a version of a scene with its code."""

from typing import Annotated

from shared.apps.video.bootstrap import project_queries
from shared.apps.video.web import IMMUTABLE, Entity, Operation, PathSceneId, ProjectId, SceneDetail, scene_detail
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.conditional import NOT_MODIFIED, REVALIDATE, IfNoneMatch, is_current, not_modified
from shared.web.envelope import Envelope
from shared.web.errors import OWNED, refusals

from fastapi import Query, Response

app = create_app(Operation.GET_SCENE)


@app.get(
    "/projects/{projectId}/scenes/{sceneId}",
    responses=refusals(*OWNED) | NOT_MODIFIED,
    response_model=Envelope[SceneDetail],
)
async def get_scene(
    project_id: ProjectId,
    scene_id: PathSceneId,
    user: CurrentUser,
    exchange: CurrentExchange,
    response: Response,
    version: Annotated[
        int | None,
        Query(ge=1, le=999_999_999, description="a version; the one that the project has now if it is left out"),
    ] = None,
    if_none_match: IfNoneMatch = None,
) -> Envelope[SceneDetail] | Response:
    """Return one version of a scene: its code, its props, and what it was built with. A version never changes."""
    found = project_queries().scene(user, project_id, scene_id, version)
    etag, cache_control = f'"v{found.version}"', REVALIDATE if version is None else IMMUTABLE
    if is_current(etag, if_none_match):
        return not_modified(Operation.GET_SCENE, etag, cache_control=cache_control)
    response.headers["ETag"], response.headers["Cache-Control"] = etag, cache_control
    return exchange.success(scene_detail(found), Entity.SCENE)


handler = lambda_handler(app, project_queries)
