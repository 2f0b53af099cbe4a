"""S3 as DuckDB opens it: ranges of an object, and objects that are complete or absent.

DuckDB turns whatever goes wrong here into an error of its own, of which only the text can be read: a mark in it
tells an outage of the store from a fault of the file.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fsspec.spec import AbstractBufferedFile, AbstractFileSystem

from slice_platform.aws import AwsAccess, client, told
from slice_platform.errors import AccessRefused, SliceError, StoreUnavailable

_UNAVAILABLE, _REFUSED = "s3-unavailable: ", "s3-refused: "
READ_BLOCK_BYTES = 256 * 1024  # a row group's columns are about as large; what is skipped beside them stays small
WRITE_BLOCK_BYTES = 16 * 1024**2


class S3Files(AbstractFileSystem):  # type: ignore[misc]  # fsspec ships no types
    """Objects of S3 by their address. What an object is like is asked once: those of a lake are never rewritten."""

    protocol = "s3"
    cachable = False  # fsspec would hand one instance to every store

    def __init__(self, access: AwsAccess) -> None:
        super().__init__(use_listings_cache=False)
        self.access = access
        self._known: dict[str, dict[str, Any]] = {}

    @property
    def s3(self) -> Any:
        return client("s3", self.access)

    def info(self, path: str, **_options: Any) -> dict[str, Any]:
        bucket, key = split(path)
        name = f"{bucket}/{key}"
        if (known := self._known.get(name)) is not None:
            return known
        with _marked("look at", path):
            found = self.s3.head_object(Bucket=bucket, Key=key)
        size, written = int(found["ContentLength"]), found["LastModified"]
        self._known[name] = {"name": name, "size": size, "type": "file", "ETag": found["ETag"], "modified": written}
        return self._known[name]

    def ls(self, path: str, detail: bool = True, **_options: Any) -> list[Any]:  # noqa: FBT001, FBT002 -- as fsspec has it
        bucket, key = split(path)
        with _marked("list", path):
            pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{key}/", Delimiter="/")
            found = [entry for page in pages for entry in _entries(bucket, page)]
        return found if detail else [entry["name"] for entry in found]

    def modified(self, path: str) -> Any:
        return self.info(path)["modified"]

    def _rm(self, path: str) -> None:
        bucket, key = split(path)
        with _marked("delete", path):
            self.s3.delete_object(Bucket=bucket, Key=key)

    def _open(self, path: str, mode: str = "rb", **_options: Any) -> "S3File":
        size = READ_BLOCK_BYTES if "r" in mode else WRITE_BLOCK_BYTES
        if "w" in mode:
            self._known.pop("/".join(split(path)), None)
        return S3File(self, path, mode, block_size=size, cache_type="readahead")


class S3File(AbstractBufferedFile):  # type: ignore[misc]  # fsspec ships no types
    """Reads ranges of the very object that was opened; writes parts, which become an object at close."""

    _tail: bytes | None = None  # the end of the object: a Parquet file is opened by several small reads there

    def _fetch_range(self, start: int, end: int) -> bytes:
        end = min(end, self.size)
        tail = max(0, self.size - READ_BLOCK_BYTES)
        if start < tail or start >= end:
            return self._get(start, end) if start < end else b""
        if self._tail is None:
            self._tail = self._get(tail, self.size)
        return self._tail[start - tail : end - tail]

    def _get(self, start: int, end: int) -> bytes:
        bucket, key = split(self.path)
        only = {"Bucket": bucket, "Key": key, "IfMatch": self.details["ETag"]}
        left = self.fs.access.attempts
        while True:
            left -= 1
            try:
                with _marked("read", self.path):
                    content: bytes = self.fs.s3.get_object(**only, Range=f"bytes={start}-{end - 1}")["Body"].read()
                    return content
            except FileNotFoundError as error:
                raise OSError(f"{_UNAVAILABLE}{error}") from error
            except OSError:  # the connection broke while the bytes came, which boto3 does not repeat
                if not left:
                    raise

    def _initiate_upload(self) -> None:
        self._parts: list[dict[str, Any]] = []
        self._upload_id: str | None = None

    def _upload_chunk(self, final: bool = False) -> bool:  # noqa: FBT001, FBT002 -- as fsspec has it
        """Send what is buffered; True once it may be forgotten. What fits into one request is one PUT."""
        bucket, key = split(self.path)
        content = self.buffer.getvalue()
        with _marked("write", self.path):
            if final and self._upload_id is None:
                self.fs.s3.put_object(Bucket=bucket, Key=key, Body=content)
                return True
            if not self._upload_id:
                self._upload_id = self.fs.s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
            upload = {"Bucket": bucket, "Key": key, "UploadId": self._upload_id}
            if content:
                number = len(self._parts) + 1
                part = self.fs.s3.upload_part(**upload, PartNumber=number, Body=content)
                self._parts.append({"PartNumber": number, "ETag": part["ETag"]})
            if final:
                self.fs.s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": self._parts})
        return True


def split(path: str) -> tuple[str, str]:
    bucket, _, key = path.removeprefix("s3://").partition("/")
    return bucket, key


def _entries(bucket: str, page: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for one in page.get("Contents", []):
        yield {"name": f"{bucket}/{one['Key']}", "size": one["Size"], "type": "file", "modified": one["LastModified"]}
    for one in page.get("CommonPrefixes", []):
        yield {"name": f"{bucket}/{one['Prefix'].rstrip('/')}", "size": 0, "type": "directory"}


def outage(text: str) -> SliceError | None:
    """What went wrong with S3, where the text of an error of DuckDB or pyiceberg tells of it."""
    for mark, kind in ((_UNAVAILABLE, StoreUnavailable), (_REFUSED, AccessRefused)):
        if mark in text:
            return kind(text.split(mark, 1)[1].split("\n", 1)[0])
    return None


@contextmanager
def _marked(verb: str, path: str) -> Iterator[None]:
    try:
        with told(verb, path):
            yield
    except StoreUnavailable as error:
        raise OSError(f"{_UNAVAILABLE}{error}") from error
    except AccessRefused as error:
        raise OSError(f"{_REFUSED}{error}") from error
