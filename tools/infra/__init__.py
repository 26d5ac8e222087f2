"""Writes template.yaml from the fragments in infra/ (docs/decisions/0017-the-template-from-fragments.md)."""
