"""PATCH /preferences/video: set and remove facts that messages are answered with."""

from typing import Annotated

from shared.apps.video.bootstrap import preference_service
from shared.apps.video.web import Entity, Operation, PreferenceList, PreferencesUpdate, preference_list
from shared.bootstrap import write_counter
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Envelope
from shared.web.errors import AUTHENTICATED, JSON_BODY, refusals

from fastapi import Query

app = create_app(Operation.UPDATE_PREFERENCES, count_write=write_counter(Operation.UPDATE_PREFERENCES))


@app.patch("/preferences/video", responses=refusals(*AUTHENTICATED, *JSON_BODY))
async def update_preferences(
    body: PreferencesUpdate,
    user: CurrentUser,
    exchange: CurrentExchange,
    project_id: Annotated[
        str | None, Query(alias="projectId", max_length=64, description="those of this project only")
    ] = None,
) -> Envelope[PreferenceList]:
    """Set facts such as `brandColour`, or remove them with null. Facts that are not named stay as they are."""
    found = preference_service().update(user, project_id, body.facts)
    return exchange.success(preference_list(found, project_id), Entity.PREFERENCES)


handler = lambda_handler(app, preference_service)
