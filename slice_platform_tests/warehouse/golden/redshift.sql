-- look for the ledger
SELECT count(*) FROM information_schema.tables WHERE table_schema = %s AND table_name = '_slice_load_ledger';

-- make the ledger
CREATE TABLE IF NOT EXISTS "analytics"."_slice_load_ledger" (
  "id" CHAR(32) NOT NULL,
  "object_key" VARCHAR(1024) NOT NULL,
  "sha256" VARCHAR(1024) NOT NULL,
  "version" VARCHAR(1024) NOT NULL,
  "table_name" VARCHAR(1024) NOT NULL,
  "task" VARCHAR(1024) NOT NULL,
  "size_bytes" BIGINT NOT NULL,
  "rows_read" BIGINT NOT NULL,
  "rows_set_aside" BIGINT NOT NULL,
  "rows_inserted" BIGINT NOT NULL,
  "rows_updated" BIGINT NOT NULL,
  "run_id" VARCHAR(1024) NOT NULL,
  "spec" VARCHAR(65535),
  "spec_version" BIGINT,
  "loaded_at" TIMESTAMP NOT NULL DEFAULT SYSDATE
) DISTSTYLE ALL SORTKEY("table_name");

-- lock
LOCK TABLE "analytics"."_slice_load_ledger";

-- find a claim
SELECT "rows_read", "rows_set_aside", "rows_inserted", "rows_updated", "version", "run_id", "loaded_at" FROM "analytics"."_slice_load_ledger" WHERE "id" = %s;

-- newest description of a table
SELECT "spec", "spec_version" FROM "analytics"."_slice_load_ledger" WHERE "table_name" = %s AND "spec_version" IS NOT NULL ORDER BY "spec_version" DESC LIMIT 1;

-- columns in the catalog
SELECT column_name, data_type, character_maximum_length, numeric_precision, numeric_scale
FROM information_schema.columns WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position;

-- create
CREATE TABLE "analytics"."order" (
  "id" BIGINT NOT NULL,
  "user" INTEGER NOT NULL,
  "amount" DECIMAL(12,2),
  "is_open" BOOLEAN,
  "note" VARCHAR(256),
  "long" VARCHAR(65535),
  "document" SUPER,
  "at" TIMESTAMPTZ,
  PRIMARY KEY ("id", "user"),
  FOREIGN KEY ("user") REFERENCES "analytics"."users" ("id")
) DISTSTYLE KEY DISTKEY("user") COMPOUND SORTKEY("at", "id");

-- add columns
ALTER TABLE "analytics"."order" ADD COLUMN "a" DATE;
ALTER TABLE "analytics"."order" ADD COLUMN "b" CHAR(3);

-- drop columns
ALTER TABLE "analytics"."order" DROP COLUMN "a";
ALTER TABLE "analytics"."order" DROP COLUMN "b";

-- stage
CREATE TEMPORARY TABLE "_stg_rows" ("id" BIGINT, "user" INTEGER, "amount" DECIMAL(12,2), "is_open" BOOLEAN, "note" VARCHAR(256), "long" VARCHAR(65535), "document" SUPER, "at" TIMESTAMPTZ);

-- copy
COPY "_stg_rows" ("id", "user") FROM 's3://bucket/_staging/ab.manifest' IAM_ROLE 'arn:aws:iam::1:role/copy' MANIFEST GZIP FORMAT AS CSV
NULL AS '_slice_null_ab' DATEFORMAT 'YYYY-MM-DD' TIMEFORMAT 'auto' ENCODING AS UTF8 MAXERROR 0 COMPUPDATE OFF;
COPY "_stg_rows" ("id") FROM 's3://bucket/_staging/cd.manifest' IAM_ROLE default MANIFEST GZIP FORMAT AS CSV
NULL AS '_slice_null_cd' DATEFORMAT 'YYYY-MM-DD' TIMEFORMAT 'auto' ENCODING AS UTF8 MAXERROR 0 COMPUPDATE OFF;

-- count what is staged
SELECT count(*) FROM "_stg_rows";

-- count known keys
SELECT count(*) FROM "_stg_rows" JOIN "analytics"."order" ON "analytics"."order"."id" = "_stg_rows"."id" AND "analytics"."order"."user" = "_stg_rows"."user";

-- some known keys
SELECT "_stg_rows"."id", "_stg_rows"."user" FROM "_stg_rows" JOIN "analytics"."order" ON "analytics"."order"."id" = "_stg_rows"."id" AND "analytics"."order"."user" = "_stg_rows"."user" LIMIT 3;

-- insert
INSERT INTO "analytics"."order" ("id", "user", "amount", "is_open", "note", "long", "document", "at") SELECT "id", "user", "amount", "is_open", "note", "long", "document", "at" FROM "_stg_rows";

-- merge
MERGE INTO "analytics"."order" USING "_stg_rows" ON "analytics"."order"."id" = "_stg_rows"."id" AND "analytics"."order"."user" = "_stg_rows"."user"
WHEN MATCHED THEN UPDATE SET "amount" = "_stg_rows"."amount"
WHEN NOT MATCHED THEN INSERT ("id", "user", "amount") VALUES ("_stg_rows"."id", "_stg_rows"."user", "_stg_rows"."amount");
MERGE INTO "analytics"."order" USING "_stg_rows" ON "analytics"."order"."id" = "_stg_rows"."id"
WHEN MATCHED THEN UPDATE SET "id" = "_stg_rows"."id"
WHEN NOT MATCHED THEN INSERT ("id") VALUES ("_stg_rows"."id");

-- book
INSERT INTO "analytics"."_slice_load_ledger" ("id", "object_key", "sha256", "version", "table_name", "task", "size_bytes", "rows_read", "rows_set_aside", "rows_inserted", "rows_updated", "run_id")
SELECT "id", "object_key", "sha256", "version", "table_name", "task", "size_bytes", "rows_read", "rows_set_aside", "rows_inserted", "rows_updated", "run_id" FROM (SELECT CAST(%s AS CHAR(32)) AS "id", CAST(%s AS VARCHAR(1024)) AS "object_key", CAST(%s AS VARCHAR(1024)) AS "sha256", CAST(%s AS VARCHAR(1024)) AS "version", CAST(%s AS VARCHAR(1024)) AS "table_name", CAST(%s AS VARCHAR(1024)) AS "task", CAST(%s AS BIGINT) AS "size_bytes", CAST(%s AS BIGINT) AS "rows_read", CAST(%s AS BIGINT) AS "rows_set_aside", CAST(%s AS BIGINT) AS "rows_inserted", CAST(%s AS BIGINT) AS "rows_updated", CAST(%s AS VARCHAR(1024)) AS "run_id") AS claim
WHERE NOT EXISTS (SELECT 1 FROM "analytics"."_slice_load_ledger" AS known WHERE known."id" = claim."id");
INSERT INTO "analytics"."_slice_load_ledger" ("id", "object_key", "sha256", "version", "table_name", "task", "size_bytes", "rows_read", "rows_set_aside", "rows_inserted", "rows_updated", "run_id", "spec", "spec_version")
SELECT "id", "object_key", "sha256", "version", "table_name", "task", "size_bytes", "rows_read", "rows_set_aside", "rows_inserted", "rows_updated", "run_id", "spec", "spec_version" FROM (SELECT CAST(%s AS CHAR(32)) AS "id", CAST(%s AS VARCHAR(1024)) AS "object_key", CAST(%s AS VARCHAR(1024)) AS "sha256", CAST(%s AS VARCHAR(1024)) AS "version", CAST(%s AS VARCHAR(1024)) AS "table_name", CAST(%s AS VARCHAR(1024)) AS "task", CAST(%s AS BIGINT) AS "size_bytes", CAST(%s AS BIGINT) AS "rows_read", CAST(%s AS BIGINT) AS "rows_set_aside", CAST(%s AS BIGINT) AS "rows_inserted", CAST(%s AS BIGINT) AS "rows_updated", CAST(%s AS VARCHAR(1024)) AS "run_id", CAST(%s AS VARCHAR(65535)) AS "spec", CAST(%s AS BIGINT) AS "spec_version") AS claim
WHERE NOT EXISTS (SELECT 1 FROM "analytics"."_slice_load_ledger" AS known WHERE known."id" = claim."id");

-- who has booked
SELECT "run_id" FROM "analytics"."_slice_load_ledger" WHERE "id" = %s;

-- hold
UPDATE "analytics"."_slice_load_ledger" SET "spec_version" = "spec_version" WHERE "table_name" = %s AND "spec_version" = %s;

-- forget
UPDATE "analytics"."_slice_load_ledger" SET "id" = %s WHERE "id" = %s;

-- why a COPY failed
SELECT line_number, column_name, error_message FROM sys_load_error_detail
WHERE file_name = CAST(%s AS CHAR(256)) ORDER BY line_number LIMIT 20;
SELECT line_number, colname, err_reason FROM stl_load_errors
WHERE filename = CAST(%s AS CHAR(256)) ORDER BY line_number LIMIT 20;

-- make the ledger of projections
CREATE TABLE IF NOT EXISTS "analytics"."_slice_projections" (
  "id" CHAR(32) NOT NULL,
  "table_name" VARCHAR(1024) NOT NULL,
  "partition_key" VARCHAR(1024) NOT NULL,
  "source" VARCHAR(1024) NOT NULL,
  "lineage" VARCHAR(1024) NOT NULL,
  "version" BIGINT NOT NULL,
  "snapshot_id" BIGINT,
  "window_start" VARCHAR(1024) NOT NULL,
  "window_end" VARCHAR(1024) NOT NULL,
  "row_count" BIGINT NOT NULL,
  "checksum_low" BIGINT NOT NULL,
  "checksum_high" BIGINT NOT NULL,
  "rows_deleted" BIGINT NOT NULL,
  "rows_inserted" BIGINT NOT NULL,
  "rows_updated" BIGINT NOT NULL,
  "is_stale" BIGINT NOT NULL,
  "run_id" VARCHAR(1024) NOT NULL,
  "projected_at" TIMESTAMP NOT NULL DEFAULT SYSDATE
) DISTSTYLE ALL SORTKEY("table_name");

-- find projections
SELECT "partition_key", "source", "lineage", "version", "snapshot_id", "row_count", "checksum_low", "checksum_high", "rows_deleted", "rows_inserted", "rows_updated", "is_stale", "run_id", "projected_at" FROM "analytics"."_slice_projections" WHERE "id" = %s;
SELECT "partition_key", "source", "lineage", "version", "snapshot_id", "row_count", "checksum_low", "checksum_high", "rows_deleted", "rows_inserted", "rows_updated", "is_stale", "run_id", "projected_at" FROM "analytics"."_slice_projections" WHERE "table_name" = %s;

-- count projections
SELECT count(*) FROM "analytics"."_slice_projections" WHERE "table_name" = %s;

-- forget projections
DELETE FROM "analytics"."_slice_projections" WHERE "id" = %s;
DELETE FROM "analytics"."_slice_projections" WHERE "table_name" = %s;

-- book a projection
INSERT INTO "analytics"."_slice_projections" ("id", "table_name", "partition_key", "source", "lineage", "version", "snapshot_id", "window_start", "window_end", "row_count", "checksum_low", "checksum_high", "rows_deleted", "rows_inserted", "rows_updated", "is_stale", "run_id") VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s);

-- who has booked a projection
SELECT "run_id" FROM "analytics"."_slice_projections" WHERE "id" = %s;

-- mark projections
UPDATE "analytics"."_slice_projections" SET "is_stale" = 1 WHERE "table_name" = %s AND "id" <> %s
AND "window_start" <= %s AND "window_end" > %s;

-- is there a row
SELECT count(*) FROM (SELECT 1 AS "one" FROM "analytics"."order" LIMIT 1) AS "some";

-- delete a partition
DELETE FROM "analytics"."order" WHERE "at" >= TIMESTAMPTZ '2026-01-01 00:00:00.000000+00' AND "at" < TIMESTAMPTZ '2026-01-02 00:00:00.000000+00';
DELETE FROM "analytics"."order";

-- delete what is gone
DELETE FROM "analytics"."order" WHERE "at" >= TIMESTAMPTZ '2026-01-01 00:00:00.000000+00' AND "at" < TIMESTAMPTZ '2026-01-02 00:00:00.000000+00' AND NOT EXISTS (SELECT 1 FROM "_stg_rows" WHERE "analytics"."order"."id" = "_stg_rows"."id" AND "analytics"."order"."code" = "_stg_rows"."code");
DELETE FROM "analytics"."order" WHERE NOT EXISTS (SELECT 1 FROM "_stg_rows" WHERE "analytics"."order"."id" = "_stg_rows"."id");

-- count what moved
SELECT count(*), min("analytics"."order"."at"), max("analytics"."order"."at") FROM "_stg_rows" JOIN "analytics"."order" ON "analytics"."order"."id" = "_stg_rows"."id" AND "analytics"."order"."code" = "_stg_rows"."code" WHERE ("analytics"."order"."at" < TIMESTAMPTZ '2026-01-01 00:00:00.000000+00' OR "analytics"."order"."at" >= TIMESTAMPTZ '2026-01-02 00:00:00.000000+00');
SELECT count(*), min("analytics"."order"."day"), max("analytics"."order"."day") FROM "_stg_rows" JOIN "analytics"."order" ON "analytics"."order"."id" = "_stg_rows"."id" WHERE ("analytics"."order"."day" < TIMESTAMP '2026-01-01 00:00:00.000000' OR "analytics"."order"."day" >= TIMESTAMP '2026-01-02 00:00:00.000000');

-- update what differs
UPDATE "analytics"."order" SET "id" = "_stg_rows"."id", "code" = "_stg_rows"."code", "note" = "_stg_rows"."note", "x" = "_stg_rows"."x", "ok" = "_stg_rows"."ok", "day" = "_stg_rows"."day", "at" = "_stg_rows"."at" FROM "_stg_rows"
WHERE "analytics"."order"."id" = "_stg_rows"."id" AND "analytics"."order"."code" = "_stg_rows"."code" AND ("analytics"."order"."id" <> "_stg_rows"."id" OR "analytics"."order"."code" <> "_stg_rows"."code" OR OCTET_LENGTH("analytics"."order"."code") <> OCTET_LENGTH("_stg_rows"."code") OR "analytics"."order"."note" <> "_stg_rows"."note" OR OCTET_LENGTH("analytics"."order"."note") <> OCTET_LENGTH("_stg_rows"."note") OR ("analytics"."order"."note" IS NULL AND "_stg_rows"."note" IS NOT NULL) OR ("analytics"."order"."note" IS NOT NULL AND "_stg_rows"."note" IS NULL) OR "analytics"."order"."x" <> "_stg_rows"."x" OR ("analytics"."order"."x" IS NULL AND "_stg_rows"."x" IS NOT NULL) OR ("analytics"."order"."x" IS NOT NULL AND "_stg_rows"."x" IS NULL) OR "analytics"."order"."ok" <> "_stg_rows"."ok" OR ("analytics"."order"."ok" IS NULL AND "_stg_rows"."ok" IS NOT NULL) OR ("analytics"."order"."ok" IS NOT NULL AND "_stg_rows"."ok" IS NULL) OR "analytics"."order"."day" <> "_stg_rows"."day" OR ("analytics"."order"."day" IS NULL AND "_stg_rows"."day" IS NOT NULL) OR ("analytics"."order"."day" IS NOT NULL AND "_stg_rows"."day" IS NULL) OR "analytics"."order"."at" <> "_stg_rows"."at" OR ("analytics"."order"."at" IS NULL AND "_stg_rows"."at" IS NOT NULL) OR ("analytics"."order"."at" IS NOT NULL AND "_stg_rows"."at" IS NULL));
UPDATE "analytics"."order" SET "id" = "_stg_rows"."id", "day" = "_stg_rows"."day", "document" = "_stg_rows"."document" FROM "_stg_rows"
WHERE "analytics"."order"."id" = "_stg_rows"."id" AND (1 = 1);

-- insert what is new
INSERT INTO "analytics"."order" ("id", "code", "note", "x", "ok", "day", "at") SELECT "_stg_rows"."id", "_stg_rows"."code", "_stg_rows"."note", "_stg_rows"."x", "_stg_rows"."ok", "_stg_rows"."day", "_stg_rows"."at"
FROM "_stg_rows" WHERE NOT EXISTS (SELECT 1 FROM "analytics"."order" WHERE "analytics"."order"."id" = "_stg_rows"."id" AND "analytics"."order"."code" = "_stg_rows"."code");

-- measure
SELECT count(*), COALESCE(SUM(STRTOL(SUBSTRING(MD5(COALESCE(CAST("id" AS VARCHAR(64)), 'N') || ';' || COALESCE((CAST(OCTET_LENGTH(RTRIM("code")) AS VARCHAR(64)) || ':' || RTRIM("code")), 'N') || ';' || COALESCE(CASE WHEN OCTET_LENGTH("note") > 1024 THEN MD5("note") ELSE (CAST(OCTET_LENGTH("note") AS VARCHAR(64)) || ':' || "note") END, 'N') || ';' || COALESCE(CASE WHEN CAST("x" AS DOUBLE PRECISION) = 0 THEN '0' WHEN ABS(CAST("x" AS DOUBLE PRECISION)) >= CAST('2.44140625000000000e-04' AS DOUBLE PRECISION) AND ABS(CAST("x" AS DOUBLE PRECISION)) < CAST('1.04857600000000000e+06' AS DOUBLE PRECISION) THEN (CAST(CAST(FLOOR(CAST("x" AS DOUBLE PRECISION) * CAST('4.39804651110400000e+12' AS DOUBLE PRECISION)) AS BIGINT) AS VARCHAR(64)) || 'b0') WHEN ABS(CAST("x" AS DOUBLE PRECISION)) >= CAST('5.68434188608080149e-14' AS DOUBLE PRECISION) AND ABS(CAST("x" AS DOUBLE PRECISION)) < CAST('2.44140625000000000e-04' AS DOUBLE PRECISION) THEN (CAST(CAST(FLOOR(CAST("x" AS DOUBLE PRECISION) * CAST('1.88894659314785809e+22' AS DOUBLE PRECISION)) AS BIGINT) AS VARCHAR(64)) || 'b-1') WHEN ABS(CAST("x" AS DOUBLE PRECISION)) >= CAST('1.04857600000000000e+06' AS DOUBLE PRECISION) AND ABS(CAST("x" AS DOUBLE PRECISION)) < CAST('4.50359962737049600e+15' AS DOUBLE PRECISION) THEN (CAST(CAST(FLOOR(CAST("x" AS DOUBLE PRECISION) * CAST('1.02400000000000000e+03' AS DOUBLE PRECISION)) AS BIGINT) AS VARCHAR(64)) || 'b1') WHEN ABS(CAST("x" AS DOUBLE PRECISION)) >= CAST('1.32348898008484428e-23' AS DOUBLE PRECISION) AND ABS(CAST("x" AS DOUBLE PRECISION)) < CAST('5.68434188608080149e-14' AS DOUBLE PRECISION) THEN (CAST(CAST(FLOOR(CAST("x" AS DOUBLE PRECISION) * CAST('8.11296384146066817e+31' AS DOUBLE PRECISION)) AS BIGINT) AS VARCHAR(64)) || 'b-2') WHEN ABS(CAST("x" AS DOUBLE PRECISION)) >= CAST('4.50359962737049600e+15' AS DOUBLE PRECISION) AND ABS(CAST("x" AS DOUBLE PRECISION)) < CAST('1.93428131138340668e+25' AS DOUBLE PRECISION) THEN (CAST(CAST(FLOOR(CAST("x" AS DOUBLE PRECISION) * CAST('2.38418579101562500e-07' AS DOUBLE PRECISION)) AS BIGINT) AS VARCHAR(64)) || 'b2') WHEN ABS(CAST("x" AS DOUBLE PRECISION)) >= CAST('3.08148791101957736e-33' AS DOUBLE PRECISION) AND ABS(CAST("x" AS DOUBLE PRECISION)) < CAST('1.32348898008484428e-23' AS DOUBLE PRECISION) THEN (CAST(CAST(FLOOR(CAST("x" AS DOUBLE PRECISION) * CAST('3.48449143727040987e+41' AS DOUBLE PRECISION)) AS BIGINT) AS VARCHAR(64)) || 'b-3') WHEN ABS(CAST("x" AS DOUBLE PRECISION)) >= CAST('1.93428131138340668e+25' AS DOUBLE PRECISION) AND ABS(CAST("x" AS DOUBLE PRECISION)) < CAST('8.30767497365572421e+34' AS DOUBLE PRECISION) THEN (CAST(CAST(FLOOR(CAST("x" AS DOUBLE PRECISION) * CAST('5.55111512312578270e-17' AS DOUBLE PRECISION)) AS BIGINT) AS VARCHAR(64)) || 'b3') WHEN ABS(CAST("x" AS DOUBLE PRECISION)) < CAST('3.08148791101957736e-33' AS DOUBLE PRECISION) THEN (CAST(CAST(FLOOR(CAST("x" AS DOUBLE PRECISION) * CAST('1.49657767662684459e+51' AS DOUBLE PRECISION)) AS BIGINT) AS VARCHAR(64)) || 'b-4') WHEN ABS(CAST("x" AS DOUBLE PRECISION)) >= CAST('8.30767497365572421e+34' AS DOUBLE PRECISION) THEN (CAST(CAST(FLOOR(CAST("x" AS DOUBLE PRECISION) * CAST('1.29246970711410574e-26' AS DOUBLE PRECISION)) AS BIGINT) AS VARCHAR(64)) || 'b4') END, 'N') || ';' || COALESCE(CASE WHEN "ok" THEN 't' WHEN NOT "ok" THEN 'f' END, 'N') || ';' || COALESCE(TO_CHAR("day", 'YYYY-MM-DD'), 'N') || ';' || COALESCE(RTRIM(RTRIM(TO_CHAR(("at" AT TIME ZONE 'UTC'), 'YYYY-MM-DD HH24:MI:SS.US'), '0'), '.'), 'N')), 1, 15), 16)), 0)
FROM "analytics"."order" WHERE "at" >= TIMESTAMPTZ '2026-01-01 00:00:00.000000+00' AND "at" < TIMESTAMPTZ '2026-01-02 00:00:00.000000+00';
SELECT count(*), COALESCE(SUM(STRTOL(SUBSTRING(MD5(COALESCE(CAST("id" AS VARCHAR(64)), 'N') || ';' || COALESCE(TO_CHAR("day", 'YYYY-MM-DD'), 'N')), 1, 15), 16)), 0)
FROM "analytics"."order";
