"""Copies of the lake's tables in databases, kept in step: where the lake and the warehouse meet."""
