-- From when to when there are hits to judge; NULL without one.
-- Grain: one row. Reads: outbox.hit. Writes nothing. Parameters: since, until: NULL for no bound.
SELECT
    min(hit.at) AS first_at,
    max(hit.at) AS last_at
FROM outbox.hit AS hit
WHERE
    (CAST(:since AS timestamptz) IS NULL OR hit.at >= :since)
    AND (CAST(:until AS timestamptz) IS NULL OR hit.at < :until);
