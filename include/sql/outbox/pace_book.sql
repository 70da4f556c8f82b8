-- Book the next turns, for all of a request's paces at once: as many as `turns`, spread evenly by
-- the slowest. What would begin later than within_seconds from now is not booked, so that a sender
-- that waits for its own number keeps no other from the account.
-- Returns when the first turn comes, in how many seconds, and whether it is booked; no turn, where
-- a pace has no row yet. By the database's clock, read once the rows are locked: that is what
-- senders on several machines share.
-- Grain: one row. Reads and writes: outbox.pace. Parameters: keys; gap_seconds, by key, in the same
-- order: from one turn to the next; turns; within_seconds.
-- Twice: later turns; those of the first time pass unused.
WITH kept AS MATERIALIZED (
    SELECT
        pace.key,
        pace.next_at
    FROM outbox.pace AS pace
    WHERE pace.key = ANY(CAST(:keys AS text[]))
    ORDER BY pace.key
    FOR UPDATE
),

wanted AS (
    SELECT
        asked.key,
        make_interval(secs => asked.gap_seconds) AS gap
    FROM
        unnest(CAST(:keys AS text[]), CAST(:gap_seconds AS double precision[]))
            AS asked (key, gap_seconds)
),

clock AS MATERIALIZED (
    SELECT
        clock_timestamp() AS now,
        max(kept.next_at) AS next_at,
        count(*) AS paces
    FROM kept
),

turn AS MATERIALIZED (
    SELECT
        clock.now,
        greatest(clock.next_at, clock.now) AS first_at,
        (SELECT max(wanted.gap) FROM wanted) AS gap,
        clock.next_at
        <= clock.now + make_interval(secs => CAST(:within_seconds AS double precision)) AS is_booked
    FROM clock
    WHERE clock.paces = cardinality(CAST(:keys AS text[]))
),

booked AS (
    UPDATE outbox.pace AS pace
    -- The last turn, and then this pace's own gap.
    SET next_at = turn.first_at + turn.gap * (CAST(:turns AS integer) - 1) + wanted.gap
    FROM turn
    CROSS JOIN wanted
    WHERE turn.is_booked AND pace.key = wanted.key
)

SELECT
    turn.first_at,
    CAST(extract(EPOCH FROM turn.first_at - turn.now) AS double precision) AS wait_seconds,
    turn.is_booked
FROM turn;
