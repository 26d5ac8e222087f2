"""Decide which tool a message asks for: by rules, an equal earlier decision or a model, and then a guard."""
