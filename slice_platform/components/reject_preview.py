"""The first rejected rows of a batch, for the page of the check `rejects`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import dagster as dg

from slice_platform.lake.accounts import Published
from slice_platform.lake.dataset import Dataset
from slice_platform.lake.lake import Lake
from slice_platform.lake.preview import ShownReject, first_rejects, rejects_key

_MOST_FILES = 20  # of a batch that are opened: what is shown is a sample anyway
_MOST_ROWS = 10  # of a file, and of a partition


@dataclass(frozen=True)
class RejectPreview:
    """The first rejects of one file, and where all of them are."""

    file: str
    kept_at: str
    first: tuple[ShownReject, ...]


def reject_previews(lake: Lake, dataset: Dataset, done: Published) -> dict[int, RejectPreview]:
    """By file id, for the first files of the batch that have rejects."""
    with_rejects = [one.staged.file for one in done.files if one.staged.rows_rejected][:_MOST_FILES]
    return {
        file.id: RejectPreview(
            file=file.name,
            kept_at=lake.store.path(rejects_key(file)),
            first=tuple(first_rejects(lake, dataset, file, _MOST_ROWS)),
        )
        for file in with_rejects
    }


def reject_metadata(previews: Mapping[int, RejectPreview], file_ids: Iterable[int]) -> dict[str, dg.MetadataValue]:
    """A table of the first rejects of these files; nothing where they have none."""
    chosen = [previews[file_id] for file_id in file_ids if file_id in previews]
    records = [
        dg.TableRecord(
            {"file": one.file, "line": r.line, "column": r.column, "reason": r.reason, "text of the row": r.raw}
        )
        for one in chosen
        for r in one.first
    ]
    if not records:
        return {}
    return {
        "first_rejects": dg.MetadataValue.table(records[:_MOST_ROWS]),
        "all_rejects": dg.MetadataValue.text("\n".join(one.kept_at for one in chosen[:_MOST_ROWS])),
    }
