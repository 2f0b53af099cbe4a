"""How pyiceberg reads and writes metadata on S3: as DuckDB does the data, with the same endpoint and time-outs.

pyarrow's own S3 client takes no notice of AWS_ENDPOINT_URL, and would go to AWS where a stand-in is meant.
"""

from fsspec import AbstractFileSystem
from pyiceberg.io.fsspec import FsspecFileIO

from slice_platform.aws import AwsAccess
from slice_platform.s3_files import S3Files

_ENDPOINT, _ATTEMPTS, _TIMEOUT = "s3.endpoint", "slice.s3-attempts", "slice.s3-timeout-seconds"


def io_properties(access: AwsAccess) -> dict[str, str]:
    """What a catalog hands to its FileIO."""
    where = {_ENDPOINT: access.endpoint_url} if access.endpoint_url else {}
    limits = {_ATTEMPTS: str(access.attempts), _TIMEOUT: str(access.timeout_seconds)}
    return {"py-io-impl": f"{__name__}.S3FileIO", **where, **limits}


class S3FileIO(FsspecFileIO):
    """pyiceberg's FileIO over the platform's S3."""

    def _get_fs(self, scheme: str, hostname: str | None = None) -> AbstractFileSystem:
        if scheme != "s3":
            return super()._get_fs(scheme, hostname)
        of = self.properties
        return S3Files(AwsAccess(of.get(_ENDPOINT), int(of[_ATTEMPTS]), float(of[_TIMEOUT])))
