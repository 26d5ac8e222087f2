"""GET /projects/{projectId}/messages: return the messages of a project's chat, newest first, in pages."""

from typing import Annotated

from shared.apps.video.bootstrap import project_queries
from shared.apps.video.web import Entity, Operation, ProjectId, ProjectMessageList, message_detail
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Envelope
from shared.web.errors import OWNED, refusals

from fastapi import Query

app = create_app(Operation.LIST_PROJECT_MESSAGES)


@app.get("/projects/{projectId}/messages", responses=refusals(*OWNED))
async def list_project_messages(
    project_id: ProjectId,
    user: CurrentUser,
    exchange: CurrentExchange,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Annotated[str | None, Query(min_length=1, max_length=512)] = None,
) -> Envelope[ProjectMessageList]:
    """Return the messages of the project's chat, newest first."""
    found, following = project_queries().messages(user, project_id, limit=limit, cursor=cursor)
    page = ProjectMessageList(messages=tuple(message_detail(each) for each in found), cursor=following)
    return exchange.success(page, Entity.PROJECT_MESSAGE_LIST)


handler = lambda_handler(app, project_queries)
