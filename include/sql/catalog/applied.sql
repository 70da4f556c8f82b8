-- Which files of include/sql/objects the warehouse has, as of which digest.
-- Grain: file. Reads: core.object. No parameters. Writes nothing.
SELECT
    object.name,
    object.applied
FROM core.object AS object;
