"""Reads template.yaml: resources and their properties, with CloudFormation's functions resolved."""
