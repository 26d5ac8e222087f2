"""DELETE /projects/{projectId}: remove a project with everything that belongs to it."""

from shared.apps.video.bootstrap import project_deletion
from shared.apps.video.web import Entity, Operation, ProjectDeleted, ProjectId
from shared.bootstrap import write_counter
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Envelope
from shared.web.errors import OWNED, refusals

app = create_app(Operation.DELETE_PROJECT, count_write=write_counter(Operation.DELETE_PROJECT))


@app.delete("/projects/{projectId}", responses=refusals(*OWNED))
async def delete_project(
    project_id: ProjectId, user: CurrentUser, exchange: CurrentExchange
) -> Envelope[ProjectDeleted]:
    """Delete the project permanently, with its scenes, revisions, images, chat and jobs. Cancel its live jobs."""
    project_deletion().delete(user, project_id)
    return exchange.success(ProjectDeleted(project_id=project_id), Entity.PROJECT)


handler = lambda_handler(app, project_deletion)
