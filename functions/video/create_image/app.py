"""POST /projects/{projectId}/images: announce an image, and return the form that uploads it."""

from shared.apps.video.bootstrap import images
from shared.apps.video.web import (
    Entity,
    ImageWithUpload,
    NewImageFile,
    Operation,
    ProjectId,
    image_with_upload,
    new_image,
)
from shared.bootstrap import write_counter
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Envelope
from shared.web.errors import JSON_BODY, OWNED, refusals

app = create_app(Operation.CREATE_IMAGE, count_write=write_counter(Operation.CREATE_IMAGE))


@app.post("/projects/{projectId}/images", status_code=201, responses=refusals(*OWNED, *JSON_BODY))
async def create_image(
    project_id: ProjectId, body: NewImageFile, user: CurrentUser, exchange: CurrentExchange
) -> Envelope[ImageWithUpload]:
    """Announce an image of the project.

    Then send the file: POST a form (multipart/form-data) to `upload.url` with all of `upload.fields`, and the file as
    its last field, `file`. Then complete the image.
    """
    image, form = images().create(user, project_id, new_image(body))
    return exchange.success(image_with_upload(image, form), Entity.IMAGE)


handler = lambda_handler(app, images)
