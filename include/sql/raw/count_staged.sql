-- How many rows a file has, before lines of one order become one.
-- Grain: one row. Reads: staged. No parameters. Writes nothing.
SELECT count(*) FROM staged;
