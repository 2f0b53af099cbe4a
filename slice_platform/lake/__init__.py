"""The data lake without Dagster: landing, raw, curated and the queries over them."""
