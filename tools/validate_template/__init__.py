"""Check template.yaml and the state machines in five ways (docs/decisions/0004 and 0013 explain why five)."""
