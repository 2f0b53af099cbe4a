"""The same work as the other peers, by PySpark with two local cores."""

from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.events import FileFormat

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# Spark is imported by whoever runs it: no other process must pay for it.
# ruff: noqa: PLC0415

_PAYLOAD = (
    "STRUCT<screen: STRING, app_version: STRING, network: STRUCT<kind: STRING, rtt_ms: BIGINT>, tags: ARRAY<STRING>>"
)
_SCHEMA = (
    "event_id STRING, user_id STRING, event_time TIMESTAMP, platform STRING, amount DECIMAL(12,2), "
    "session_seconds BIGINT, battery_percent BIGINT, is_foreground BOOLEAN, payload "
)
_SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.memory": "4g",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "8",  # 200 by default, which is for a cluster
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.log.level": "ERROR",
}


def run_spark(file_format: FileFormat, paths: list[str], target: Path) -> int:
    """Write the Parquet below `target`; how many rows it holds."""
    from pyspark.sql import SparkSession

    builder = SparkSession.Builder().master("local[2]").appName("benchmark")
    for name, value in {**_SETTINGS, "spark.local.dir": str(target / "_spark")}.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    try:
        return _written(spark, _rows(spark, file_format, paths), target)
    finally:
        _stop(spark)


def _rows(spark: "SparkSession", file_format: FileFormat, paths: list[str]) -> "DataFrame":
    from pyspark.sql import functions

    if file_format == "jsonl":
        return spark.read.schema(_SCHEMA + _PAYLOAD).json(paths)
    rows = spark.read.schema(_SCHEMA + "STRING").csv(paths, header=True, quote='"', escape='"')
    return rows.withColumn("payload", functions.from_json("payload", _PAYLOAD))


def _written(spark: "SparkSession", rows: "DataFrame", target: Path) -> int:
    from pyspark.sql import functions, window

    latest_first = window.Window.partitionBy("event_id").orderBy(functions.desc("event_time"))
    latest = (
        rows.where("event_id is not null and event_time is not null")
        .withColumn("place", functions.row_number().over(latest_first))
        .where("place = 1")
        .drop("place")
        .withColumn("day", functions.to_date("event_time"))
    )
    sorted_by_day = latest.repartition("day").sortWithinPartitions("day", "user_id")
    sorted_by_day.write.partitionBy("day").parquet(str(target / "table"))
    return int(spark.read.parquet(str(target / "table")).count())


def _stop(spark: "SparkSession") -> None:
    """Wait for the JVM to end, too: only then its memory counts as ours."""
    from pyspark import SparkContext

    gateway = SparkContext._gateway  # noqa: SLF001  # there is no public way to the process
    spark.stop()
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait()
