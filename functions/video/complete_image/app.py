"""POST /projects/{projectId}/images/{imageId}/complete: check what was uploaded by its content."""

from shared.apps.video.bootstrap import images
from shared.apps.video.web import Entity, ImageDetail, Operation, PathImageId, ProjectId, image_detail
from shared.bootstrap import write_counter
from shared.errors import Conflict
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Envelope
from shared.web.errors import BODY, OWNED, refusals

app = create_app(Operation.COMPLETE_IMAGE, count_write=write_counter(Operation.COMPLETE_IMAGE))


@app.post("/projects/{projectId}/images/{imageId}/complete", responses=refusals(*OWNED, *BODY, Conflict))
async def complete_image(
    project_id: ProjectId, image_id: PathImageId, user: CurrentUser, exchange: CurrentExchange
) -> Envelope[ImageDetail]:
    """Check the uploaded file, and make the image ready. A repeat has the same result.

    If the file is no image that a project takes, the response is 422 with the code IMAGE_REFUSED and the broken rule.
    """
    image = images().complete(user, project_id, image_id)
    return exchange.success(image_detail(image, images().url(image)), Entity.IMAGE)


handler = lambda_handler(app, images)
