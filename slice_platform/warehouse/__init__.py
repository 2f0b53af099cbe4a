"""The propagator: a table in Redshift, Postgres or MySQL is created, altered and filled by files in a folder."""
