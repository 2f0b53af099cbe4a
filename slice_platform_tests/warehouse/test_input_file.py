"""A file is brought here as it is stored, unpacked, with the digest of what was stored."""

import gzip
import hashlib
from pathlib import Path

import pytest

from slice_platform.store import Store
from slice_platform.warehouse.drop_path import read_drop_path
from slice_platform.warehouse.input_file import InputFile, fetch
from slice_platform.warehouse.refusal import FileRefused

KEY = "destination=postgres/database=shop/table_name=people/input/load/a.csv"
TEXT = b"id\n" + b"1\n" * 100_000


def fetched(tmp_path: Path, content: bytes, key: str = KEY, most_bytes: int = 10**9) -> InputFile:
    store = Store(str(tmp_path / "root"))
    store.write(key, content)
    return fetch(store, read_drop_path(key), key, tmp_path / "here", most_bytes=most_bytes)


def test_a_plain_file_is_the_same_here(tmp_path: Path) -> None:
    file = fetched(tmp_path, TEXT)
    assert file.path.read_bytes() == TEXT and file.size_bytes == len(TEXT)
    assert file.sha256 == hashlib.sha256(TEXT).hexdigest()


@pytest.mark.parametrize("members", [1, 3])
def test_gzip_is_unpacked_and_known_by_what_is_stored(tmp_path: Path, members: int) -> None:
    packed = gzip.compress(TEXT) * members
    file = fetched(tmp_path, packed, f"{KEY}.gz")
    assert file.path.read_bytes() == TEXT * members
    assert file.sha256 == hashlib.sha256(packed).hexdigest() and file.size_bytes == len(packed)


@pytest.mark.parametrize(
    "content",
    [gzip.compress(TEXT)[:-9], b"id\n1\n", gzip.compress(TEXT)[:-8] + b"\0" * 8, gzip.compress(TEXT) + b"rest"],
    ids=["cut off", "no gzip", "wrong checksum", "something behind"],
)
def test_damaged_gzip_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(FileRefused, match="The gzip is damaged"):
        fetched(tmp_path, content, f"{KEY}.gz")


def test_a_bomb_is_refused_before_it_fills_the_disk(tmp_path: Path) -> None:
    with pytest.raises(FileRefused, match="more than 1,000,000 bytes"):
        fetched(tmp_path, gzip.compress(b"\0" * 200_000_000), f"{KEY}.gz", most_bytes=1_000_000)
    assert (tmp_path / "here").stat().st_size <= 1_000_000
