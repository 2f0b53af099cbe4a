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
