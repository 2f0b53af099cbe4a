"""From a bucket into a database and back into the bucket, as on AWS: Postgres, and Redshift's SQL with COPY from S3."""

import gzip
import io
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import IO

import pytest

from slice_platform.aws import AwsAccess
from slice_platform.errors import StoreUnavailable
from slice_platform.local.redshift_standin import STANDIN_LABEL, standin_connection
from slice_platform.store import Store, open_store
from slice_platform.warehouse.destination import Destination
from slice_platform.warehouse.drop_path import DestinationName, Task
from slice_platform.warehouse.outcome import Done, Failed, Outcome
from slice_platform.warehouse.postgres import PostgresDestination
from slice_platform.warehouse.propagate import Door, Propagator
from slice_platform.warehouse.redshift import RedshiftDestination
from slice_platform.warehouse.retry import return_to_inbox
from slice_platform_tests.cloud import Cloud
from slice_platform_tests.warehouse.worlds import DATABASE, World

CREATE = {
    "column_specification": {"id": "INTEGER", "name": "VARCHAR(20)"}, "primary_key": ["id"], "dist_key": "id",
    "sort_key": ["id"], "on_bad_rows": {"set_aside_up_to": 0.5},
}  # fmt: skip


@dataclass(frozen=True)
class OnS3:
    """A world whose folders are in a bucket."""

    world: World
    store: Store
    propagator: Propagator

    def drop(self, task: Task, name: str, content: str | bytes) -> str:
        key = f"{self.world.table().folder}/{task.value}/{name}"
        self.store.write(key, content.encode() if isinstance(content, str) else content)
        return key

    def work_off(self) -> list[Outcome]:
        return list(self.propagator.work_off(self.world.table(), run_id="run"))

    def listed(self, folder: str) -> list[str]:
        """What lies in a folder of the table, without the times."""
        place = f"{self.world.table().folder}/{folder}/"
        return sorted(entry.key.removeprefix(place).split("-", 1)[-1] for entry in self.store.list(place))

    def people(self) -> list[tuple[object, ...]]:
        return self.world.rows('select id, name from {}"people" order by id')


Make = Callable[[DestinationName], OnS3]


@pytest.fixture
def make_on_s3(make_world: Callable[[DestinationName], World], cloud: Cloud) -> Make:
    def make(name: DestinationName) -> OnS3:
        access = AwsAccess(cloud.url, attempts=2, timeout_seconds=5.0)
        store, world = open_store(f"s3://{cloud.fresh_bucket()}/propagator", access), make_world(name)
        door = Door(_destination(world, store), frozenset({DATABASE}))
        return OnS3(world, store, replace(world.propagator(), store=store, doors={name: door}))

    return make


@pytest.fixture(params=["postgres", "redshift"])
def on_s3(request: pytest.FixtureRequest, make_on_s3: Make) -> OnS3:
    return make_on_s3(request.param)


def _destination(world: World, store: Store) -> Destination:
    def open_s3(address: str) -> IO[bytes]:
        with store.open(address.removeprefix(f"{store.root}/")) as source:
            return io.BytesIO(source.read())

    if world.name == "postgres":
        return PostgresDestination(world.url)
    connect = standin_connection(world.url, open_s3)
    return RedshiftDestination(connect, store, iam_role="arn:aws:iam::1:role/copy", label=STANDIN_LABEL)


def test_files_of_a_bucket_fill_a_table_and_are_put_away(on_s3: OnS3, cloud: Cloud) -> None:
    on_s3.drop(Task.CREATE, "a.json", json.dumps(CREATE))
    on_s3.drop(Task.LOAD, "b.csv.gz", gzip.compress(b"id,name\n1,Ada\n2,Bo\nx,Cy\n"))
    on_s3.drop(Task.UPSERT, "c.jsonl", '{"id": 2, "name": "Bob"}\n{"id": 3, "name": "Cy"}\n')
    assert [type(one) for one in on_s3.work_off()] == [Done] * 3
    assert on_s3.people() == [(1, "Ada"), (2, "Bob"), (3, "Cy")]
    assert on_s3.listed("succeeded") == ["a.json", "b.csv.gz", "b.csv.gz.errors.csv", "c.jsonl"]
    assert not on_s3.listed("input") and not list(on_s3.store.list("_staging/"))
    manifests = [one for one in cloud.seen if one.startswith("GET") and one.endswith(".manifest")]
    assert len(manifests) == (2 if on_s3.world.name == "redshift" else 0)


def test_a_file_that_failed_lies_in_the_bucket_with_its_report_and_goes_again(on_s3: OnS3) -> None:
    on_s3.drop(Task.CREATE, "a.json", json.dumps(CREATE))
    dropped = on_s3.drop(Task.LOAD, "b.csv", "id,name,fax\n1,Ada,7\n")
    failed = on_s3.work_off()[-1]
    assert isinstance(failed, Failed) and on_s3.listed("failed") == ["b.csv", "b.csv.error.json", "b.csv.errors.csv"]
    report = json.loads(on_s3.store.open(f"{failed.kept_as}.error.json").read())
    assert report["reason"].startswith("line 1: 'fax' is no column") and failed.kept_as in report["next_step"]
    on_s3.drop(Task.ALTER, "c.json", '{"operation_type": "add", "column_specification": {"fax": "INTEGER"}}')
    assert return_to_inbox(on_s3.store, failed.kept_as) == dropped
    assert [type(one) for one in on_s3.work_off()] == [Done, Done] and not on_s3.listed("failed")
    assert on_s3.people() == [(1, "Ada")]


def test_a_stray_of_a_bucket_is_put_away_with_its_reason(on_s3: OnS3) -> None:
    on_s3.store.write("reports/people.csv", b"id\n1\n")
    (stray,) = on_s3.propagator.put_away_strays()
    assert stray.kept_as.endswith("-reports__people.csv")
    assert [entry.key for entry in on_s3.store.list("")] == [stray.kept_as, f"{stray.kept_as}.error.json"]


@pytest.mark.parametrize("lost", ["PUT .*/succeeded/", "DELETE .*/input/"], ids=["copy", "delete"])
def test_a_move_that_the_bucket_refused_is_made_up_for_and_nothing_loads_twice(
    on_s3: OnS3, cloud: Cloud, lost: str
) -> None:
    on_s3.drop(Task.CREATE, "a.json", json.dumps(CREATE))
    on_s3.work_off()
    on_s3.drop(Task.LOAD, "b.csv", "id,name\n1,Ada\nx,Bo\n")
    with cloud.failing("error", lost), pytest.raises(StoreUnavailable):
        on_s3.work_off()
    (done,) = on_s3.work_off()
    assert isinstance(done, Done) and not done.is_repeat and done.applied.counts.set_aside == 1
    assert on_s3.people() == [(1, "Ada")] and not on_s3.listed("input")
    assert b"3,id,x,is not INTEGER" in b"".join(
        on_s3.store.open(entry.key).read()
        for entry in on_s3.store.list(f"{on_s3.world.table().folder}/succeeded/")
        if entry.key.endswith(".errors.csv")
    )


def test_the_same_content_again_is_told_as_loaded_already(on_s3: OnS3) -> None:
    on_s3.drop(Task.CREATE, "a.json", json.dumps(CREATE))
    on_s3.drop(Task.LOAD, "b.csv", "id,name\n1,Ada\n")
    assert [type(one) for one in on_s3.work_off()] == [Done, Done]
    time.sleep(1.1)  # S3 tells times in whole seconds
    on_s3.drop(Task.LOAD, "b.csv", "id,name\n1,Ada\n")
    (again,) = on_s3.work_off()
    assert isinstance(again, Done) and again.is_repeat and on_s3.people() == [(1, "Ada")]


def test_redshift_copies_by_a_manifest_in_the_bucket_and_reads_nothing_else(make_on_s3: Make) -> None:
    on_s3 = make_on_s3("redshift")
    on_s3.drop(Task.CREATE, "a.json", json.dumps(CREATE))
    on_s3.drop(Task.LOAD, "b.csv", "id,name\n1,Ada\n")
    done = on_s3.work_off()[-1]
    assert isinstance(done, Done)
    (copy,) = [one for one in done.applied.statements if one.startswith("COPY")]
    assert f"FROM '{on_s3.store.root}/_staging/" in copy and "IAM_ROLE 'arn:aws:iam::1:role/copy' MANIFEST" in copy
