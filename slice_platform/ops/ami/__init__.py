"""Immutable releases: an image is built, tested, promoted in a launch template and rolled out; old ones go."""
