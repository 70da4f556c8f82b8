-- How many bytes the server has written into its log by now.
-- Grain: one row. No parameters. Writes nothing.
SELECT CAST(pg_current_wal_insert_lsn() - CAST('0/0' AS pg_lsn) AS bigint) AS bytes;
