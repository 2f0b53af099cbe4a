"""Monitor files as developers write them."""

from pathlib import Path


def http(monitor_id: str, url: str = "http://127.0.0.1:1/", *more: str) -> str:
    """A file of one http monitor."""
    lines = ["- type: http", f"  id: {monitor_id}", f"  urls: ['{url}']", "  schedule: '@every 30s'"]
    return "\n".join([*lines, *(f"  {line}" for line in more)]) + "\n"


def tcp(monitor_id: str, host: str, *more: str) -> str:
    lines = ["- type: tcp", f"  id: {monitor_id}", f"  hosts: ['{host}']", "  schedule: '@every 30s'"]
    return "\n".join([*lines, *(f"  {line}" for line in more)]) + "\n"


def write_files(folder: Path, files: dict[str, str]) -> Path:
    """The folder with these files and no other `*.yml`."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.yml"):
        old.unlink()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


BROKEN = "-type: http\n id: foo\n name: bar\n enabled: true\n urls: []\n schedule: '@every 30s'\n"
"""The sample as the blog printed it."""
