"""Talk about a workbook, change it and undo: sessions over uploaded XLSX and CSV files."""

PIPELINES = ("sheet_chat", "sheet_export", "sheet_load")
"""The names of the application's pipelines."""

LINKS = ("sessionId",)
"""The links of jobs that this application's entities can be."""

TOPICS = ("session",)
"""The kinds of topics of the channel that this application has."""
