-- How far the simulated clock of this home has come, and the wall's time when it did: a home whose
-- days were decided long after their time plays the past, and must not be ended by a run of today.
CREATE TABLE cohort.clock (
    is_only boolean PRIMARY KEY DEFAULT TRUE CHECK (is_only),
    simulated_now timestamptz NOT NULL,
    noted_at timestamptz NOT NULL      -- of the wall
);

-- A home from before this table is known by its files: what was written after the day that read it
-- was decided was read on a simulated clock.
INSERT INTO cohort.clock (simulated_now, noted_at)
SELECT
    greatest(latest.decided_at, heard.at),
    read.modified_at
FROM (
    SELECT
        max(day.as_of) AS as_of,
        max(day.decided_at) AS decided_at
    FROM cohort.day AS day
) AS latest
CROSS JOIN
    LATERAL (
        SELECT max(file.modified_at) AS modified_at
        FROM raw.file AS file
        INNER JOIN raw.load AS load ON file.load_id = load.load_id
        WHERE load.as_of <= latest.as_of
    ) AS read
CROSS JOIN (SELECT max(hit.at) AS at FROM outbox.hit AS hit) AS heard
WHERE read.modified_at > latest.decided_at;
