"""Make a video by talking about it: projects of scenes that are proven to play before they are stored."""

PIPELINES = ("render", "video_chat")
"""The names of the application's pipelines."""

LINKS = ("projectId",)
"""The links of jobs that this application's entities can be."""

TOPICS = ("project",)
"""The kinds of topics of the channel that this application has."""
