"""Dagster components: YAML in, definitions out."""
