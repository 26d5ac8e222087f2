"""The tools of video chat: pure functions from a project's facts and a call to changes, or to what a model writes."""
