-- Replay a span of past days for one ladder, in one pass over the signs of life.
--
-- For each signal, lead() gives the contact's next one. A gap of at least N days is the entry into
-- the step of N days, on the day of the signal + N; the contact stands there until its next signal
-- or the next step. A contact that never gave a signal is quiet from the day it became visible.
--
-- Grain: scenario × as_of × step. Reads: core.sign_of_life, core.contact_activity, core.contact.
-- Writes: history.cohort_day. Parameters: scenario, from_day, to_day, step_names, step_days,
-- signals. Twice: the days are replaced by the same figures.
DELETE FROM history.cohort_day AS day
WHERE day.scenario = :scenario AND day.as_of BETWEEN :from_day AND :to_day;

WITH ladder AS (
    SELECT
        rung.step,
        rung.days,
        lead(rung.days) OVER (ORDER BY rung.days) AS next_days
    FROM
        unnest(CAST(:step_names AS text[]), CAST(:step_days AS integer[])) AS rung (step, days)
),

signal_day AS (
    SELECT DISTINCT
        sign.contact_id,
        sign.occurred_on AS quiet_since
    FROM core.sign_of_life AS sign
    WHERE
        sign.kind = ANY(CAST(:signals AS core.interaction_kind[]))
        AND sign.occurred_on <= CAST(:to_day AS date)
),

-- Before its first signal a contact is quiet since it became visible.
begun AS (
    SELECT
        signal_day.contact_id,
        signal_day.quiet_since
    FROM signal_day
    UNION
    SELECT
        activity.contact_id,
        activity.visible_on
    FROM core.contact_activity AS activity
    INNER JOIN core.contact AS contact ON activity.contact_id = contact.contact_id
    WHERE contact.merged_into IS NULL AND activity.visible_on <= CAST(:to_day AS date)
),

quiet AS (
    SELECT
        begun.contact_id,
        begun.quiet_since,
        lead(begun.quiet_since) OVER (
            PARTITION BY begun.contact_id ORDER BY begun.quiet_since
        ) AS ended_on
    FROM begun
),

-- Came to stand at a step on entered_on, and left it on left_on.
stay AS (
    SELECT
        ladder.step,
        quiet.quiet_since + ladder.days AS entered_on,
        least(quiet.ended_on, quiet.quiet_since + ladder.next_days) AS left_on
    FROM quiet
    INNER JOIN ladder ON quiet.ended_on IS NULL OR quiet.quiet_since + ladder.days < quiet.ended_on
    WHERE quiet.quiet_since + ladder.days <= CAST(:to_day AS date)
),

moved AS (
    SELECT
        change.step,
        -- What happened before the span is its opening balance.
        greatest(change.happened_on, CAST(:from_day AS date)) AS as_of,
        sum(change.entered) FILTER (WHERE change.happened_on >= CAST(:from_day AS date)) AS entered,
        sum(change.entered - change.departed) AS net
    FROM (
        SELECT
            stay.step,
            stay.entered_on AS happened_on,
            1 AS entered,
            0 AS departed
        FROM stay
        UNION ALL
        SELECT
            stay.step,
            stay.left_on,
            0,
            1
        FROM stay
        WHERE stay.left_on <= CAST(:to_day AS date)
    ) AS change
    GROUP BY change.step, greatest(change.happened_on, CAST(:from_day AS date))
)

INSERT INTO history.cohort_day (scenario, as_of, step, entered, dormant)
SELECT
    :scenario,
    CAST(day.as_of AS date),
    ladder.step,
    coalesce(moved.entered, 0),
    sum(coalesce(moved.net, 0)) OVER (PARTITION BY ladder.step ORDER BY day.as_of)
FROM generate_series(CAST(:from_day AS date), CAST(:to_day AS date), interval '1 day') AS day (as_of)
CROSS JOIN ladder
LEFT JOIN moved ON ladder.step = moved.step AND CAST(day.as_of AS date) = moved.as_of;
