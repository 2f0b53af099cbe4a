"""What S3 alone does: copies inside S3, deletes that compare, reads that go on where they broke off."""

import hashlib
import time
from datetime import UTC, datetime

import pytest

from slice_platform.aws import AwsAccess
from slice_platform.errors import AccessRefused, StoreUnavailable
from slice_platform.s3 import S3Store
from slice_platform.store import Digest
from slice_platform_tests.cloud import Cloud

MIB = 1024**2
PART = 5 * MIB  # S3 takes no smaller one, but as the last


@pytest.fixture
def access(cloud: Cloud) -> AwsAccess:
    return AwsAccess(cloud.url, attempts=3)


@pytest.fixture
def store(cloud: Cloud, access: AwsAccess) -> S3Store:
    return S3Store(f"s3://{cloud.fresh_bucket()}/some/lake", access)


def digest_of(content: bytes) -> Digest:
    return Digest(len(content), hashlib.sha256(content).hexdigest())


def uploads_under_way(store: S3Store) -> int:
    return len(store._s3.list_multipart_uploads(Bucket=store._bucket).get("Uploads", []))


def test_a_copy_never_passes_through_this_machine(store: S3Store, cloud: Cloud) -> None:
    store.write("landing/k", b"x" * 3 * MIB)
    cloud.seen.clear()
    store.copy("landing/k", "raw/k")
    assert [request.split()[0] for request in cloud.seen] == ["HEAD", "PUT"]
    assert store.digest("raw/k") == digest_of(b"x" * 3 * MIB)


def test_an_object_too_large_for_one_request_is_copied_in_parts(cloud: Cloud, access: AwsAccess) -> None:
    """The limit of S3 is 5 GiB; it is lowered here, and the parts are as small as S3 allows."""
    store = S3Store(f"s3://{cloud.fresh_bucket()}/lake", access, most_copied_at_once=PART, part_bytes=PART)
    content = bytes(range(256)) * (12 * MIB // 256) + b"the odd end"
    store.write("landing/k", content)
    cloud.seen.clear()
    assert store.copy("landing/k", "raw/k") == Digest(len(content), None)
    assert sum("partNumber=" in request for request in cloud.seen) == 3
    assert not [request for request in cloud.seen if request.startswith("GET")]
    assert store.digest("raw/k") == digest_of(content)
    assert uploads_under_way(store) == 0


def test_a_copy_in_parts_that_fails_leaves_no_object_and_no_parts(cloud: Cloud, access: AwsAccess) -> None:
    store = S3Store(f"s3://{cloud.fresh_bucket()}/lake", access, most_copied_at_once=PART, part_bytes=PART)
    store.write("landing/k", b"x" * 11 * MIB)
    with cloud.failing("error", r"partNumber=2"), pytest.raises(StoreUnavailable, match="copy 'landing/k'"):
        store.copy("landing/k", "raw/k")
    assert store.stat("raw/k") is None
    assert uploads_under_way(store) == 0


def test_parts_that_dead_writers_left_are_cleared_below_the_prefix_alone(store: S3Store) -> None:
    for key in ("curated/t/data/b1/x.parquet", "curated/t/data/b2/x.parquet"):
        store._s3.create_multipart_upload(**store._at(key))
    store.remove_tree("curated/t/data/b1")
    assert uploads_under_way(store) == 1
    store.remove_unfinished("curated/t/data/b2")
    assert uploads_under_way(store) == 0


def test_a_delete_spares_what_a_producer_put_there_since_the_listing(store: S3Store, cloud: Cloud) -> None:
    store.write("landing/k", b"first")
    (entry,) = store.list("landing")
    store.write("landing/k", b"second")
    cloud.seen.clear()
    store.remove_version(entry)
    assert [request.split()[0] for request in cloud.seen] == ["DELETE"], "comparing and deleting are one request"
    assert store.open("landing/k").read() == b"second"
    (now,) = store.list("landing")
    store.remove_version(now)
    store.remove_version(now)
    assert store.stat("landing/k") is None


def test_a_listing_and_a_look_tell_the_same_version(store: S3Store) -> None:
    """Also in a bucket that keeps versions: receive compares the two."""
    store._s3.put_bucket_versioning(Bucket=store._bucket, VersioningConfiguration={"Status": "Enabled"})
    store.write("landing/k", b"content")
    (listed,) = store.list("landing")
    assert listed == store.stat("landing/k")
    assert listed.changed_at is None and listed.written_at
    assert abs((datetime.now(UTC) - listed.written_at).total_seconds()) < 60


@pytest.mark.parametrize(
    "name", ["a b+c&d=e.csv", "100%.csv", "ä/ü#?.csv", 'it\'s "q".csv', "x//y.csv", "a\\b.csv", "\u202e.csv"]
)
def test_odd_names_are_listed_read_copied_and_deleted(store: S3Store, name: str) -> None:
    store.write(f"landing/{name}", name.encode())
    (entry,) = store.list("landing")
    assert entry.key == f"landing/{name}"
    store.copy(entry.key, f"raw/{name}")
    assert store.open(f"raw/{name}").read() == name.encode()
    store.remove_version(entry)
    assert list(store.list("landing")) == []


def test_more_objects_than_one_page_are_listed_and_removed(store: S3Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "10")  # of S3 itself 1000
    for n in range(25):
        store.write(f"q/{n:04d}", b"")
    assert len(list(store.list("q"))) == 25
    store.remove_tree("q")
    assert list(store.list("")) == []


def test_a_read_that_breaks_off_goes_on_at_the_same_byte(store: S3Store, cloud: Cloud) -> None:
    content = bytes(range(256)) * 40_000
    store.write("k", content)
    with cloud.failing("cut", "^GET", times=2) as cuts:
        assert store.open("k").read() == content
    assert cuts.hit == 2


def test_a_read_does_not_go_on_in_another_object(store: S3Store, cloud: Cloud) -> None:
    store.write("k", b"a" * 9 * MIB)
    with cloud.failing("cut", "^GET", times=1), store.open("k") as stream:
        stream.read(MIB)
        store.write("k", b"b" * 9 * MIB)
        with pytest.raises(StoreUnavailable, match="read 'k'"):
            stream.read()


@pytest.mark.parametrize("kind", ["slow_down", "error", "reset"])
def test_what_passes_is_tried_again(store: S3Store, cloud: Cloud, kind: str) -> None:
    with cloud.failing(kind, "^PUT", times=2) as fault:  # type: ignore[arg-type]  # one of its kinds
        store.write("k", b"content")
    assert fault.hit == 2
    assert store.open("k").read() == b"content"


@pytest.mark.parametrize("kind", ["slow_down", "reset", "hang"])
def test_what_lasts_is_told_after_a_bounded_time(cloud: Cloud, kind: str) -> None:
    store = S3Store(f"s3://{cloud.fresh_bucket()}/lake", AwsAccess(cloud.url, attempts=3, timeout_seconds=1.0))
    started = time.monotonic()
    with cloud.failing(kind, "^(GET|HEAD)") as fault:  # type: ignore[arg-type]  # one of its kinds
        with pytest.raises(StoreUnavailable, match=r"look at 'k'.*can be repeated"):
            store.stat("k")
        assert fault.hit == 3
        with pytest.raises(StoreUnavailable, match="list 'landing'"):
            list(store.list("landing"))
    assert time.monotonic() - started < 30


def test_a_refusal_is_no_outage(cloud: Cloud, access: AwsAccess) -> None:
    with pytest.raises(AccessRefused, match=r"NoSuchBucket.*SLICE_LAKE_URI"):
        list(S3Store("s3://nobodys-bucket/lake", access).list("landing"))
