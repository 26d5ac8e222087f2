"""Name the operations of sheet chat: apart from `web.py`, whose models not every operation needs."""

from __future__ import annotations

from enum import StrEnum


class Operation(StrEnum):
    """The operations of this application, one per HTTP function."""

    CREATE_SESSION = "create_session"
    LIST_SESSIONS = "list_sessions"
    GET_SESSION = "get_session"
    CREATE_UPLOAD_URL = "create_upload_url"
    LOAD_SESSION = "load_session"
    RECOVER_SESSION = "recover_session"
    CLOSE_SESSION = "close_session"
    DELETE_SESSION = "delete_session"
    CREATE_MESSAGE = "create_message"
    LIST_MESSAGES = "list_messages"
    GET_CELLS = "get_cells"
    EDIT_CELLS = "edit_cells"
    UNDO_CHANGE = "undo_change"
    REDO_CHANGE = "redo_change"
    LIST_VERSIONS = "list_versions"
    CREATE_EXPORT = "create_export"
