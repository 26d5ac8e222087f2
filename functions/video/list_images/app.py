"""GET /projects/{projectId}/images: return a page of the project's images."""

from typing import Annotated

from shared.apps.video.bootstrap import images
from shared.apps.video.web import Entity, ImageList, Operation, ProjectId, image_detail
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Envelope
from shared.web.errors import OWNED, refusals

from fastapi import Query

app = create_app(Operation.LIST_IMAGES)


@app.get("/projects/{projectId}/images", responses=refusals(*OWNED))
async def list_images(
    project_id: ProjectId,
    user: CurrentUser,
    exchange: CurrentExchange,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(min_length=1, max_length=100)] = None,
) -> Envelope[ImageList]:
    """Return one page of the project's images, newest first."""
    page, following = images().page(user, project_id, limit=limit, cursor=cursor)
    shown = tuple(image_detail(each, images().url(each)) for each in page)
    return exchange.success(ImageList(images=shown, cursor=following), Entity.IMAGE_LIST)


handler = lambda_handler(app, images)
