"""Every object that a table refers to: from its metadata down to the data files of each snapshot it still has."""

from dataclasses import dataclass, field

from pyiceberg.table import Table

from slice_platform.aws import told
from slice_platform.errors import SliceError, UpkeepRefused
from slice_platform.lake.lake import Lake
from slice_platform.lake.table_definition import TableDefinition, folder_in_lake


@dataclass
class References:
    """Reads each manifest once, however many snapshots and however many questions share it."""

    lake: Lake
    table: TableDefinition
    _of_list: dict[str, list[str]] = field(default_factory=dict)  # manifest list -> keys of its manifests
    _of_manifest: dict[str, frozenset[str]] = field(default_factory=dict)  # manifest -> keys of its data files

    @property
    def _folder(self) -> str:
        return folder_in_lake(self.table)

    def of(self, table: Table) -> set[str]:
        """The keys of all objects that any snapshot or the metadata of the table needs.

        Raises:
            UpkeepRefused: something of the metadata cannot be read, so that nobody knows what is needed.
        """
        metadata = table.metadata
        found = {self._key(table.metadata_location)}
        found |= {self._key(entry.metadata_file) for entry in metadata.metadata_log}
        found |= {self._key(one.statistics_path) for one in (*metadata.statistics, *metadata.partition_statistics)}
        for snapshot in metadata.snapshots:
            found |= self._of_snapshot(table, snapshot.snapshot_id)
        return found

    def current_data(self, table: Table) -> set[str]:
        """The keys of the data files of the current snapshot."""
        snapshot = table.current_snapshot()
        if snapshot is None:
            return set()
        self._of_snapshot(table, snapshot.snapshot_id)
        return set().union(*(self._of_manifest[key] for key in self._of_list[snapshot.manifest_list]))

    def _of_snapshot(self, table: Table, snapshot_id: int) -> set[str]:
        snapshot = table.metadata.snapshot_by_id(snapshot_id)
        assert snapshot is not None
        path = snapshot.manifest_list
        try:
            if path not in self._of_list:
                with told("read the manifests of", self.table.name):
                    self._read(table, path, snapshot.manifests(table.io))
        except SliceError:
            raise  # the store did not answer: that says nothing of the metadata
        except Exception as error:  # whatever a damaged Avro file raises: the answer is the same
            raise self._refusal(
                f"the manifests of snapshot {snapshot_id} in {path!r} cannot be read: {error}"
            ) from error
        manifests = self._of_list[path]
        return {self._key(path), *manifests}.union(*(self._of_manifest[key] for key in manifests))

    def _read(self, table: Table, path: str, manifests: list) -> None:  # type: ignore[type-arg]  # pyiceberg's own
        keys = []
        for manifest in manifests:
            key = self._key(manifest.manifest_path)
            keys.append(key)
            if key not in self._of_manifest:
                entries = manifest.fetch_manifest_entry(table.io, discard_deleted=True)
                self._of_manifest[key] = frozenset(self._key(entry.data_file.file_path) for entry in entries)
        self._of_list[path] = keys

    def _key(self, uri: str) -> str:
        below = f"{self.lake.store.path(self._folder)}/"
        path = uri.removeprefix("file://") if self.lake.store.is_local else uri
        if not path.startswith(below):
            raise self._refusal(f"its metadata refers to {uri!r}, which does not lie below {below!r}")
        return f"{self._folder}/{path.removeprefix(below)}"

    def _refusal(self, problem: str) -> UpkeepRefused:
        return UpkeepRefused(
            f"Looking for objects of {self.table.name!r} that nothing refers to: {problem}. Nothing was deleted. "
            "Restore the catalog or the object, and run the upkeep again."
        )
