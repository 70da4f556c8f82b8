-- What outcomes and figures need to follow hits that are judged again: up to when hits counted, and
-- what the outcome is without an open. Receipts, stops and corrections that came since change
-- neither.
ALTER TABLE outcome.contact_outcome
ADD COLUMN closed_at timestamptz,            -- hits up to then counted; null: not known, never changed
ADD COLUMN if_unopened outcome.outcome;      -- the outcome, had nobody opened anything

-- The figures of a day are counted again while they can change; then hits come too late for them.
ALTER TABLE outcome.daily_step
ADD COLUMN counted_at timestamptz;           -- hits up to then counted; null: counted before it was kept

-- Of `inactivity`: whether an open alone lifted it. If that was a machine's, nothing did.
ALTER TABLE core.suppression
ADD COLUMN is_lifted_by_open boolean;

-- The outcome of an episode, by its first open.
CREATE FUNCTION outcome.by_open(if_unopened outcome.outcome, first_open_at timestamptz)
RETURNS outcome.outcome LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT
        CASE
            WHEN first_open_at IS NULL OR if_unopened IN ('opted_out', 'returned') THEN if_unopened
            ELSE 'active'
        END
$$;

UPDATE outcome.contact_outcome AS ended
SET
    -- Of the others nothing says when it was.
    closed_at = CASE ended.outcome
        WHEN 'active'
            THEN greatest(
                ended.first_open_at,
                (
                    SELECT min(day.decided_at)
                    FROM cohort.day AS day
                    WHERE day.as_of > ended.decided_on
                )
            )
        WHEN 'unsubscribed'
            THEN (
                SELECT min(suppression.since)
                FROM core.suppression AS suppression
                WHERE
                    suppression.contact_id = ended.contact_id
                    AND suppression.reason = 'inactivity'
                    AND suppression.source = 'journey'
                    AND suppression.since >= CAST(episode.closed_on AS timestamp) AT TIME ZONE 'UTC'
            )
    END
FROM cohort.episode AS episode
WHERE
    ended.contact_id = episode.contact_id
    AND ended.dormant_since = episode.dormant_since;

UPDATE outcome.contact_outcome AS ended
SET
    if_unopened = CASE
        WHEN ended.outcome <> 'active' THEN ended.outcome
        WHEN ended.arm = 'control' THEN 'control'
        WHEN EXISTS (
            SELECT 1
            FROM outbox.message AS message
            WHERE
                message.contact_id = ended.contact_id
                AND message.dormant_since = ended.dormant_since
                AND message.status = 'delivered'
                AND message.status_at <= ended.closed_at  -- later receipts did not count
        ) THEN 'unsubscribed'
        ELSE 'unreachable'
    END;
