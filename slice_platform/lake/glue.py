"""The Glue catalog, with a commit of which the outcome is known.

An answer that gets lost is asked for again, and the second answer then says "somebody was faster": we were.
pyiceberg would delete the manifests of a commit that it takes for lost, and with them the table.
"""

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.typedef import Properties

from slice_platform.aws import AwsAccess, client, told
from slice_platform.errors import StoreUnavailable
from slice_platform.lake.s3_io import io_properties

if TYPE_CHECKING:
    from mypy_boto3_glue.type_defs import TableInputTypeDef

_LOCATION = "metadata_location"


class Glue(GlueCatalog):
    """Tables in Glue, where Athena finds them too."""

    def __init__(self, warehouse: str, access: AwsAccess) -> None:
        properties: Properties = {"warehouse": warehouse, "glue.skip-archive": "true", **io_properties(access)}
        super().__init__("slice", client("glue", access), **properties)
        self._attempts = access.attempts
        self._ask_once = client("glue", replace(access, attempts=1))

    def _update_glue_table(
        self, database_name: str, table_name: str, table_input: "TableInputTypeDef", version_id: str
    ) -> None:
        """Point the table at its new metadata, if it still is at `version_id`.

        Raises:
            CommitFailedException: another writer was faster; this is certain.
            StoreUnavailable: the outcome is not known.
        """
        name = f"{database_name}.{table_name}"
        wanted = table_input["Parameters"][_LOCATION]
        is_certain = True
        for attempt in range(self._attempts):
            try:
                with told("commit to", name):
                    self._update_once(database_name, table_input, version_id)
            except CommitFailedException:
                if not is_certain and self._location(database_name, table_name) == wanted:
                    return
                raise
            except StoreUnavailable:
                is_certain = False
                if attempt == self._attempts - 1:
                    if self._location(database_name, table_name) == wanted:
                        return
                    raise
                time.sleep(min(0.1 * 2**attempt, 5.0))
            else:
                return

    def _update_once(self, database_name: str, table_input: "TableInputTypeDef", version_id: str) -> None:
        glue = self._ask_once
        try:
            glue.update_table(
                DatabaseName=database_name, TableInput=table_input, SkipArchive=True, VersionId=version_id
            )
        except glue.exceptions.ConcurrentModificationException as error:
            raise CommitFailedException(f"Another writer was faster than version {version_id}.") from error

    def _location(self, database_name: str, table_name: str) -> str | None:
        with told("look at", f"{database_name}.{table_name}"):
            found: dict[str, Any] = self.glue.get_table(DatabaseName=database_name, Name=table_name)
        location: str | None = found["Table"].get("Parameters", {}).get(_LOCATION)
        return location
