-- Count anew how many of some days' texts were opened: the one figure of a day that depends on
-- verdicts. Hits count up to when the day was counted last: what came later was too late for it.
-- Grain: as_of × step × arm; returns how many days have another figure. Reads: cohort.decision,
-- outbox.message, outbox.judged_hit. Writes: outcome.daily_step.
-- Parameters: from_day, to_day (included), window_days (a day from before counted_at was kept was
-- counted for so many days), time_zone. Twice: the same figures.
WITH counted AS (
    SELECT
        kept.as_of,
        kept.step,
        kept.arm,
        count(*) FILTER (WHERE opened.is_there) AS opened
    FROM outcome.daily_step AS kept
    INNER JOIN cohort.decision AS decision
        ON
            kept.as_of = decision.as_of
            AND kept.step = decision.step
            AND (
                (kept.arm = 'treatment' AND decision.action = 'send')
                OR (kept.arm = 'control' AND decision.reason = 'control')
            )
    LEFT JOIN outbox.message AS message
        ON
            decision.contact_id = message.contact_id
            AND decision.dormant_since = message.dormant_since
            AND decision.step = message.step
            AND decision.as_of = message.as_of
    CROSS JOIN
        LATERAL (
            SELECT EXISTS(
                SELECT 1
                FROM outbox.judged_hit AS hit
                WHERE
                    hit.contact_id = message.contact_id
                    AND hit.message_id = message.message_id
                    AND hit.verdict = 'human'
                    AND hit.at <= coalesce(
                        kept.counted_at,
                        CAST(kept.as_of + 2 + CAST(:window_days AS integer) AS timestamp)
                        AT TIME ZONE :time_zone
                    )
            ) AS is_there
        ) AS opened
    WHERE kept.as_of BETWEEN :from_day AND :to_day
    GROUP BY kept.as_of, kept.step, kept.arm
),

changed AS (
    UPDATE outcome.daily_step AS daily_step
    SET opened = counted.opened
    FROM counted
    WHERE
        daily_step.as_of = counted.as_of
        AND daily_step.step = counted.step
        AND daily_step.arm = counted.arm
        AND daily_step.opened <> counted.opened
    RETURNING daily_step.as_of
)

SELECT count(DISTINCT changed.as_of) AS days FROM changed;
