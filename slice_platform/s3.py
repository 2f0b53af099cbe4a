"""The store on S3: the same verbs and promises as on a directory.

What is inside S3 stays there: an object is copied by S3 itself, in parts where it is larger than one request may
copy. A write is one PUT, or an upload that becomes visible when it is completed. A delete names the version it means.
"""

import base64
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

from slice_platform.aws import AwsAccess, client, told
from slice_platform.errors import StoreUnavailable
from slice_platform.s3_files import S3Files
from slice_platform.store import CHUNK_BYTES, Children, Digest, Store, StoredObject

GIB = 1024**3
MOST_COPIED_AT_ONCE = 5 * GIB  # S3's limit of CopyObject
MOST_PARTS = 10_000
_THREADS = 4


class S3Store(Store):
    """Object storage below `s3://bucket/prefix`. `most_copied_at_once` and `part_bytes` are in bytes."""

    is_local = False

    def __init__(
        self,
        root: str,
        access: AwsAccess,
        *,
        most_copied_at_once: int = MOST_COPIED_AT_ONCE,
        part_bytes: int = GIB // 2,
    ) -> None:
        self._access = access
        super().__init__(root)
        self._bucket, _, prefix = root.removeprefix("s3://").partition("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self._most_copied_at_once = most_copied_at_once
        self._part_bytes = part_bytes

    def _at_root(self, root: str) -> tuple[Any, str]:
        return None, root.rstrip("/")

    def files(self) -> S3Files:
        return S3Files(self._access)

    @property
    def _s3(self) -> Any:
        return client("s3", self._access)

    def _at(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": f"{self._prefix}{key}"}

    def list(self, prefix: str) -> Iterator[StoredObject]:
        base = f"{self._prefix}{prefix}".rstrip("/")
        pages = self._s3.get_paginator("list_objects_v2")
        with told("list", prefix):
            found = [
                one
                for page in pages.paginate(Bucket=self._bucket, Prefix=f"{base}/" if base else "")
                for one in page.get("Contents", [])
            ]
        yield from (self._described(one["Key"][len(self._prefix) :], one, one["Size"]) for one in found)

    def children(self, prefix: str) -> Children:
        base = f"{self._prefix}{prefix}".rstrip("/")
        pages = self._s3.get_paginator("list_objects_v2")
        folders, objects = [], []
        with told("list", prefix):
            for page in pages.paginate(Bucket=self._bucket, Prefix=f"{base}/" if base else "", Delimiter="/"):
                folders += [one["Prefix"][len(self._prefix) :].rstrip("/") for one in page.get("CommonPrefixes", [])]
                objects += [
                    self._described(one["Key"][len(self._prefix) :], one, one["Size"])
                    for one in page.get("Contents", [])
                    if not one["Key"].endswith("/")  # a console makes such a thing of a folder
                ]
        return Children(tuple(folders), tuple(objects))

    def stat(self, key: str) -> StoredObject | None:
        try:
            with told("look at", key):
                found = self._s3.head_object(**self._at(key))
        except FileNotFoundError:
            return None
        return self._described(key, found, found["ContentLength"])

    def open(self, key: str) -> IO[bytes]:
        return io.BufferedReader(_Object(self._s3, self._at(key), key, self._access.attempts), CHUNK_BYTES)

    def write(self, key: str, content: bytes) -> None:
        with told("write", key):
            self._s3.put_object(**self._at(key), Body=content)

    def copy_in(self, local_path: str, key: str) -> None:
        from boto3.s3.transfer import TransferConfig  # noqa: PLC0415 -- see slice_platform.aws

        parts = max(Path(local_path).stat().st_size // MOST_PARTS + 1, 16 * 1024**2)
        with told("write", key):
            self._s3.upload_file(local_path, **self._at(key), Config=TransferConfig(multipart_chunksize=parts))

    def copy(self, key: str, to_key: str) -> Digest:
        """Copy an object inside S3. Its bytes do not come by here: the sha256 is S3's, and None of a copy in parts."""
        with told("copy", key):
            source = self._s3.head_object(**self._at(key))
            size, only = (
                int(source["ContentLength"]),
                {"CopySource": self._at(key), "CopySourceIfMatch": source["ETag"]},
            )
            if size > self._most_copied_at_once:
                self._copy_in_parts(to_key, size, only)
                return Digest(size, None)
            made = self._s3.copy_object(**self._at(to_key), **only, ChecksumAlgorithm="SHA256")["CopyObjectResult"]
        sha256 = made.get("ChecksumSHA256")
        return Digest(size, base64.b64decode(sha256).hex() if sha256 else None)

    def remove(self, key: str) -> None:
        with told("delete", key):
            self._s3.delete_object(**self._at(key))

    def remove_version(self, entry: StoredObject) -> None:
        """Delete an object, unless it is another by now: S3 compares, in the same request."""
        from botocore.exceptions import ClientError  # noqa: PLC0415 -- see slice_platform.aws

        try:
            with told("delete", entry.key):
                try:
                    self._s3.delete_object(**self._at(entry.key), IfMatch=f'"{_etag_of(entry)}"')
                except ClientError as error:
                    if error.response["ResponseMetadata"]["HTTPStatusCode"] != 412:
                        raise  # 412: another object lies there now, which is kept
        except FileNotFoundError:
            return

    def move_version(self, entry: StoredObject, to_key: str) -> None:
        now = self.stat(entry.key)
        if now is not None and now.version == entry.version:
            self.copy(entry.key, to_key)
            self.remove_version(entry)

    def remove_tree(self, prefix: str) -> None:
        self._abort_uploads(prefix)
        keys = [entry.key for entry in self.list(prefix)]
        with told("delete", prefix):
            for start in range(0, len(keys), 1000):
                some = [{"Key": f"{self._prefix}{key}"} for key in keys[start : start + 1000]]
                answer = self._s3.delete_objects(Bucket=self._bucket, Delete={"Objects": some, "Quiet": True})
                if failed := answer.get("Errors"):
                    raise StoreUnavailable(f"Could not delete {failed[0]['Key']!r} of {prefix!r}: {failed[0]}.")

    def remove_empty_dir(self, prefix: str) -> None:
        """Nothing to do: S3 has no folders."""

    def remove_unfinished(self, prefix: str) -> None:
        self._abort_uploads(prefix)

    def make_dir(self, prefix: str) -> None:
        """Nothing to do: S3 has no folders."""

    def _copy_in_parts(self, to_key: str, size: int, only: dict[str, Any]) -> None:
        part = max(self._part_bytes, size // MOST_PARTS + 1)
        target = self._at(to_key)
        upload = {**target, "UploadId": self._s3.create_multipart_upload(**target)["UploadId"]}

        def copy_part(number: int) -> dict[str, Any]:
            first = (number - 1) * part
            last = min(first + part, size) - 1
            done = self._s3.upload_part_copy(
                **upload, **only, PartNumber=number, CopySourceRange=f"bytes={first}-{last}"
            )
            return {"PartNumber": number, "ETag": done["CopyPartResult"]["ETag"]}

        try:
            with ThreadPoolExecutor(_THREADS) as pool:
                parts = list(pool.map(copy_part, range(1, -(-size // part) + 1)))
            self._s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
        except BaseException:
            self._s3.abort_multipart_upload(**upload)
            raise

    def _abort_uploads(self, prefix: str) -> None:
        """Let go of parts that writers which died left below `prefix`: nobody sees them, and they cost."""
        base = f"{self._prefix}{prefix}".rstrip("/")
        with told("clear", prefix):
            pages = self._s3.get_paginator("list_multipart_uploads").paginate(Bucket=self._bucket, Prefix=f"{base}/")
            for upload in [one for page in pages for one in page.get("Uploads", [])]:
                self._s3.abort_multipart_upload(Bucket=self._bucket, Key=upload["Key"], UploadId=upload["UploadId"])

    def _described(self, key: str, facts: dict[str, Any], size: int) -> StoredObject:
        written, etag = facts["LastModified"], facts["ETag"].strip('"')
        return StoredObject(key, size, f"{int(written.timestamp())}-{size}-{etag}", None, written)


def _etag_of(entry: StoredObject) -> str:
    return entry.version.split("-", 2)[2]


class _Object(io.RawIOBase):
    """One object as a stream. Where the connection breaks it goes on at the same byte, of the same object."""

    def __init__(self, s3: Any, at: dict[str, str], key: str, attempts: int) -> None:
        super().__init__()
        self._s3, self._target, self._key, self._attempts = s3, at, key, attempts
        self._position = 0
        with told("open", key):
            answer = s3.get_object(**at)
        self._body, self._etag, self._size = answer["Body"], answer["ETag"], int(answer["ContentLength"])

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        chunk = self._read(len(buffer)) if self._position < self._size else b""
        buffer[: len(chunk)] = chunk
        self._position += len(chunk)
        return len(chunk)

    def close(self) -> None:
        self._drop_body()
        super().close()

    def _drop_body(self) -> None:
        if self._body is not None:
            self._body.close()
            self._body = None

    def _read(self, most: int) -> bytes:
        for left in reversed(range(self._attempts)):
            try:
                with told("read", self._key):
                    if self._body is None:
                        rest = f"bytes={self._position}-"
                        self._body = self._s3.get_object(**self._target, Range=rest, IfMatch=self._etag)["Body"]
                    chunk: bytes = self._body.read(most)
            except StoreUnavailable:
                self._drop_body()
                if not left:
                    raise
            else:
                if chunk:
                    return chunk
                self._drop_body()  # ended too early
        raise StoreUnavailable(f"Could not read {self._key!r}: it ends at byte {self._position} of {self._size}.")
