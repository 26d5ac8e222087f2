"""Render a project: divide its frames into chunks, draw and encode each chunk, and join the chunks into one file."""
