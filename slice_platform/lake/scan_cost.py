"""What a query read, and what the same scan would cost on Athena."""

import math
from dataclasses import dataclass

MEGABYTE = 1024**2
TERABYTE = 1024**4
ATHENA_USD_PER_TERABYTE = 5.0
ATHENA_LEAST_BYTES = 10 * MEGABYTE


@dataclass(frozen=True)
class ScanCost:
    """The files a query opened, of all files of the tables it names, and the bytes it took from them.

    `read_bytes` is measured by DuckDB: footers and the column chunks of the row groups that were needed,
    compressed as they are stored. Athena bills the same quantity, skipping columns and row groups likewise,
    so `athena_usd` is computed from it: 5 USD per TB of 1024^4 bytes, rounded up to the MB of 1024^2, at
    least 10 MB. It is an estimate: Athena may read more ahead, prices differ by region, and of a file of a few
    kB the end is counted twice.
    """

    files_opened: int
    files_total: int
    stored_bytes: int  # of the files opened
    read_bytes: int

    @property
    def athena_bytes(self) -> int:
        return max(math.ceil(self.read_bytes / MEGABYTE) * MEGABYTE, ATHENA_LEAST_BYTES)

    @property
    def athena_usd(self) -> float:
        return self.athena_bytes / TERABYTE * ATHENA_USD_PER_TERABYTE
