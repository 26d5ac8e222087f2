"""Stages: run a pipeline's stages so that each finishes once, and call a model from a stage."""
