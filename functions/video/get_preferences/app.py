"""GET /preferences/video: return what messages are answered with besides their own text."""

from typing import Annotated

from shared.apps.video.bootstrap import preference_service
from shared.apps.video.web import Entity, Operation, PreferenceList, preference_list
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Envelope
from shared.web.errors import AUTHENTICATED, refusals

from fastapi import Query

app = create_app(Operation.GET_PREFERENCES)


@app.get("/preferences/video", responses=refusals(*AUTHENTICATED))
async def get_preferences(
    user: CurrentUser,
    exchange: CurrentExchange,
    project_id: Annotated[
        str | None, Query(alias="projectId", max_length=64, description="those of this project only")
    ] = None,
) -> Envelope[PreferenceList]:
    """Return your preferences for all projects, or those of one project, which come first."""
    found = preference_service().get(user, project_id)
    return exchange.success(preference_list(found, project_id), Entity.PREFERENCES)


handler = lambda_handler(app, preference_service)
