"""Upkeep of the tables: small files made large, old snapshots let go, and what nobody refers to removed."""
