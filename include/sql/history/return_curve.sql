-- Of the contacts that reached a step on a day of the span, how many came back by themselves within
-- so many days more; counted where that many days lie within the data.
-- Those who never gave a signal are quiet from the day they became visible, as in history/replay.
-- Grain: scenario × inactive_days × within_days. Reads: core.sign_of_life, core.contact_activity,
-- core.contact.
-- Writes: history.return_curve. Parameters: scenario, from_day, to_day, through (the last day of
-- the data), step_days, within_days, signals. Twice: replaced by the same figures.
DELETE FROM history.return_curve AS curve WHERE curve.scenario = :scenario;

WITH begun AS (
    SELECT
        sign.contact_id,
        sign.occurred_on AS quiet_since
    FROM core.sign_of_life AS sign
    WHERE sign.kind = ANY(CAST(:signals AS core.interaction_kind[]))
    UNION
    SELECT
        activity.contact_id,
        activity.visible_on
    FROM core.contact_activity AS activity
    INNER JOIN core.contact AS contact ON activity.contact_id = contact.contact_id
    WHERE contact.merged_into IS NULL
),

quiet AS (
    SELECT
        begun.quiet_since,
        lead(begun.quiet_since) OVER (
            PARTITION BY begun.contact_id ORDER BY begun.quiet_since
        ) AS ended_on
    FROM begun
)

INSERT INTO history.return_curve (scenario, inactive_days, within_days, at_risk, returned)
SELECT
    :scenario,
    reached.inactive_days,
    span.within_days,
    count(quiet.quiet_since),
    count(quiet.quiet_since) FILTER (
        WHERE quiet.ended_on <= quiet.quiet_since + reached.inactive_days + span.within_days
    )
FROM unnest(CAST(:step_days AS integer[])) AS reached (inactive_days)
CROSS JOIN unnest(CAST(:within_days AS integer[])) AS span (within_days)
LEFT JOIN quiet
    ON
        quiet.quiet_since + reached.inactive_days BETWEEN :from_day AND :to_day
        AND (
            quiet.ended_on IS NULL
            OR quiet.ended_on > quiet.quiet_since + reached.inactive_days
        )
        AND quiet.quiet_since + reached.inactive_days + span.within_days <= CAST(:through AS date)
GROUP BY reached.inactive_days, span.within_days;
