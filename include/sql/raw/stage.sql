-- The staging table of one file: good rows and bad, before they are told apart.
-- Grain: a row of the file. Parameters: the entity's own columns. Gone with the transaction, so running
-- it twice is safe.
CREATE TEMPORARY TABLE staged ON COMMIT DROP AS
SELECT
    row.line,
    CAST(NULL AS text) AS reason,
    -- Of a row that is rejected: what it is about, if that can be read.
    CAST(NULL AS text) AS named_key,
    row.record_key,
    row.record_hash,
    row.dated_on,
    FALSE AS is_excluded,
    FALSE AS has_status,
    row.problems,
    row.record,
    row.entity_columns
FROM raw.entity AS row
WITH NO DATA;
