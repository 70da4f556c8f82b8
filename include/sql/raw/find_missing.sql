-- Find the rows that a source had and that are not in what was just read of it, where that is all
-- that there is. A row that is there and cannot be read is not missing, nor is an order of which only
-- what will be given back is said. Of a feed of days (has_days) only what is dated after its oldest
-- hundredth and up to its newest day is looked at: an export of the last months does not say that what
-- is older is deleted, nor one of last week what is newer. Of a sweep of the last days (swept_on,
-- swept_from: as a day, and as raw.file.reads_from has it) it is what core has of them, and what was
-- read as news of them. Of consents (hears_refusals) refusals stay: whoever said no has not agreed once
-- that is deleted; and one that is given anew has another key, and is not missing.
-- Grain: one row: rows_known (that were looked at), rows_missing, rows_unlike (of those: read by
-- another mapping, under which they may have had another key), rows_there, rows_unnamed (rejected rows
-- that nobody can tell the key of). Reads: staged, raw.entity, raw.file, core.interaction. Writes: the
-- temporary table missing. Parameters: source, as_of, swept_on, swept_from (NULL: no sweep, or one of
-- all), but_of_load (what that load has brought is there; NULL: it may be missing, too), meaning (of
-- the mapping: how the hashes of its rows begin), has_days, hears_refusals. Twice: the same rows.
DROP TABLE IF EXISTS present_key;

CREATE TEMPORARY TABLE present_key ON COMMIT DROP AS
SELECT staged.record_key
FROM staged
WHERE staged.record_key IS NOT NULL
UNION
SELECT staged.named_key
FROM staged
WHERE staged.named_key IS NOT NULL
UNION
SELECT raw.refunded_key(staged.record_key)
FROM staged
WHERE raw.refunded_key(staged.record_key) IS NOT NULL
UNION
-- Of an id alone it is not known what will be given back under it.
SELECT raw.refund_key(staged.named_key)
FROM staged
WHERE staged.named_key IS NOT NULL AND staged.reason IS NULL;

ANALYZE present_key;

DROP TABLE IF EXISTS present_agreement;

-- Given anew is what is a yes now: an earlier no may stand beside a yes that is deleted. Of a row that
-- cannot be read it is known whose it is, and no more: its key ends in a stroke.
CREATE TEMPORARY TABLE present_agreement ON COMMIT DROP AS
SELECT said.agreement
FROM (
    SELECT
        raw.agreement(coalesce(staged.record_key, staged.named_key)) AS agreement,
        staged.is_excluded,
        coalesce(right(staged.named_key, 1) = '/', FALSE) AS is_unreadable,
        CAST(to_jsonb(staged) ->> 'granted_at' AS timestamptz) AS granted_at,
        CAST(to_jsonb(staged) ->> 'withdrawn_at' AS timestamptz) AS withdrawn_at
    FROM staged
    WHERE CAST(:hears_refusals AS boolean)
) AS said
WHERE said.agreement IS NOT NULL
GROUP BY said.agreement
HAVING
    bool_or(said.is_unreadable)
    OR (
        NOT coalesce(bool_or(said.is_excluded), FALSE)
        AND max(said.granted_at) IS NOT NULL
        AND coalesce(max(said.withdrawn_at) < max(said.granted_at), TRUE)
    );

ANALYZE present_agreement;

DROP TABLE IF EXISTS recent_key;

CREATE TEMPORARY TABLE recent_key ON COMMIT DROP AS
SELECT done.source_event_id AS record_key
FROM core.interaction AS done
WHERE done.occurred_on >= CAST(:swept_on AS date) AND done.source = :source
UNION
SELECT row.record_key
FROM raw.file AS file
INNER JOIN raw.entity AS row ON file.load_id = row.load_id AND file.file_id = row.file_id
WHERE
    file.source = :source
    AND file.reads_from >= :swept_from
    AND row.source = :source
    AND row.status <> 'superseded';

ANALYZE recent_key;

DROP TABLE IF EXISTS looked_at;

CREATE TEMPORARY TABLE looked_at ON COMMIT DROP AS
SELECT
    old.record_key,
    left(old.record_hash, 8) <> CAST(:meaning AS text) AS is_unlike,
    present_key.record_key IS NULL AND present_agreement.agreement IS NULL AS is_missing
FROM raw.entity AS old
LEFT JOIN present_key ON old.record_key = present_key.record_key
LEFT JOIN present_agreement
    ON present_key.record_key IS NULL AND raw.agreement(old.record_key) = present_agreement.agreement
WHERE
    CAST(:swept_on AS date) IS NULL
    AND old.source = :source
    AND old.status <> 'superseded'
    AND old.load_id IS DISTINCT FROM CAST(:but_of_load AS bigint)
    AND (old.status <> 'excluded' OR NOT CAST(:hears_refusals AS boolean))
    AND (
        NOT CAST(:has_days AS boolean)
        OR old.dated_on > (
            SELECT percentile_disc(0.01) WITHIN GROUP (ORDER BY staged.dated_on)
            FROM staged
            WHERE staged.record_key IS NOT NULL
        )
        AND old.dated_on <= (
            SELECT max(staged.dated_on)
            FROM staged
            WHERE staged.record_key IS NOT NULL AND staged.dated_on <= CAST(:as_of AS date)
        )
    )
UNION ALL
SELECT
    old.record_key,
    left(old.record_hash, 8) <> CAST(:meaning AS text),
    present_key.record_key IS NULL
FROM recent_key
INNER JOIN raw.entity AS old ON recent_key.record_key = old.record_key
LEFT JOIN present_key ON recent_key.record_key = present_key.record_key
WHERE
    old.source = :source
    AND old.status <> 'superseded'
    AND old.load_id IS DISTINCT FROM CAST(:but_of_load AS bigint);

DROP TABLE IF EXISTS missing;

CREATE TEMPORARY TABLE missing ON COMMIT DROP AS
SELECT
    looked_at.record_key,
    looked_at.is_unlike
FROM looked_at
WHERE looked_at.is_missing;

ANALYZE missing;

SELECT
    looked.rows_known,
    looked.rows_missing,
    looked.rows_unlike,
    present.rows_there,
    unnamed.rows_unnamed
FROM (
    SELECT
        count(*) AS rows_known,
        count(*) FILTER (WHERE looked_at.is_missing) AS rows_missing,
        count(*) FILTER (WHERE looked_at.is_missing AND looked_at.is_unlike) AS rows_unlike
    FROM looked_at
) AS looked
CROSS JOIN (SELECT count(*) AS rows_there FROM present_key) AS present
CROSS JOIN (
    SELECT count(*) AS rows_unnamed
    FROM staged
    WHERE staged.record_key IS NULL AND staged.named_key IS NULL
) AS unnamed;
