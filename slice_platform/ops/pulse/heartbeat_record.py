"""What Pulse remembers beside the files that it keeps in Heartbeat's directory.

The name ends in .json: Heartbeat's glob `*.yml` takes names that begin with a dot as well.
"""

import hashlib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from slice_platform.errors import PulseManifestBroken

RECORD = ".pulse.json"


class Record(BaseModel):
    """Files that are Pulse's, each with its last good content, and versions that were looked at and not taken.

    A claim is a file that is about to be made or removed: it is Pulse's as long as its bytes have that sha256. So a
    crash between record and file leaves nobody else's file in our hands.
    """

    model_config = ConfigDict(extra="forbid")

    version: int = Field(default=1, ge=1, le=1)
    files: dict[str, str] = Field(default_factory=dict)  # name -> last good content
    claims: dict[str, str] = Field(default_factory=dict)  # name -> sha256
    refused: dict[str, str] = Field(default_factory=dict)  # name -> sha256 of the published version that is wrong
    foreign: dict[str, str] = Field(default_factory=dict)  # name -> sha256 of that which somebody's own file keeps out

    def text(self) -> str:
        return f"{self.model_dump_json(indent=1)}\n"


def read_record(path: Path) -> Record:
    """Raises PulseManifestBroken where it is there and cannot be read."""
    try:
        return Record.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Record()
    except ValidationError as error:
        raise PulseManifestBroken(
            f"Reading {str(path)!r}, which tells the files of Pulse from those of others: {error.errors()[0]['msg']}. "
            "Nothing is changed. Restore it; or delete it and the files that Pulse made, and sync again."
        ) from error


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
