"""The `slice` command."""
