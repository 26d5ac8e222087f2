"""Checks template.yaml and the state machines in four ways (docs/decisions/0004 says why it takes four)."""
