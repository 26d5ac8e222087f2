"""GET /projects/{projectId}/images/{imageId}: return an image, with a URL of its content."""

from shared.apps.video.bootstrap import images
from shared.apps.video.web import Entity, ImageDetail, Operation, PathImageId, ProjectId, image_detail
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Envelope
from shared.web.errors import OWNED, refusals

app = create_app(Operation.GET_IMAGE)


@app.get("/projects/{projectId}/images/{imageId}", responses=refusals(*OWNED))
async def get_image(
    project_id: ProjectId, image_id: PathImageId, user: CurrentUser, exchange: CurrentExchange
) -> Envelope[ImageDetail]:
    """Return an image. Read its content from `contentUrl`, which is valid for five minutes."""
    image = images().get(user, project_id, image_id)
    return exchange.success(image_detail(image, images().url(image)), Entity.IMAGE)


handler = lambda_handler(app, images)
