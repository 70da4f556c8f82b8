-- Let nothing begin for a while, for all senders: the provider said "too fast", or is away. What is
-- booked already (a quarter of a second's worth) begins all the same.
-- Grain: pace. Writes: outbox.pace. Parameters: keys, seconds. By the database's clock.
-- Twice: the later end stands.
WITH kept AS MATERIALIZED (
    SELECT pace.key
    FROM outbox.pace AS pace
    WHERE pace.key = ANY(CAST(:keys AS text[]))
    ORDER BY pace.key
    FOR UPDATE
)

UPDATE outbox.pace AS pace
SET
    next_at = greatest(
        pace.next_at,
        clock_timestamp() + make_interval(secs => CAST(:seconds AS double precision))
    )
FROM kept
WHERE pace.key = kept.key;
