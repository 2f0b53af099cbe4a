"""Operational databases as sources: read into landing, and relieved of rows that the lake holds."""
