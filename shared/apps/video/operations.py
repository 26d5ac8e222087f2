"""Name the operations of video chat: apart from `web.py`, whose models not every operation needs."""

from __future__ import annotations

from enum import StrEnum


class Operation(StrEnum):
    """The operations of this application, one per HTTP function."""

    CREATE_PROJECT = "create_project"
    LIST_PROJECTS = "list_projects"
    GET_PROJECT = "get_project"
    UPDATE_PROJECT = "update_project"
    DELETE_PROJECT = "delete_project"
    GET_SCENE = "get_scene"
    SEND_MESSAGE = "send_message"
    LIST_PROJECT_MESSAGES = "list_project_messages"
    LIST_REVISIONS = "list_revisions"
    REVERT_PROJECT = "revert_project"
    GET_PREFERENCES = "get_preferences"
    UPDATE_PREFERENCES = "update_preferences"
    CREATE_IMAGE = "create_image"
    COMPLETE_IMAGE = "complete_image"
    GET_IMAGE = "get_image"
    LIST_IMAGES = "list_images"
    CREATE_RENDER = "create_render"
    GET_RENDER = "get_render"
    LIST_RENDERS = "list_renders"
