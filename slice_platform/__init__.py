"""A self-service data platform on Dagster: drop a file, query a table."""

__version__ = "0.1.0"
