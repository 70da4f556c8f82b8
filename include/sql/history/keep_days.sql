-- Keep what a replay has found of a span of days, in the place of what was found of them before.
--
-- A contact comes to stand at a step on the day on which it has been quiet for so long, at its own pace,
-- and stands there until its next sign of life or the next step, whatever is decided.
--
-- Grain: scenario × as_of × step, and × reason; contact × scenario × as_of. Reads: past_quiet, past_cost,
-- cohort__decision. Writes: history.cohort_day, history.cohort_reason, history.audience. Parameters:
-- scenario, from_day, to_day, ladder, policy_version, with_audience. Twice: the same rows.
DELETE FROM history.cohort_day AS day
WHERE day.scenario = :scenario AND day.as_of BETWEEN :from_day AND :to_day;

DELETE FROM history.cohort_reason AS reason
WHERE reason.scenario = :scenario AND reason.as_of BETWEEN :from_day AND :to_day;

DELETE FROM history.audience AS audience
WHERE audience.scenario = :scenario AND audience.as_of BETWEEN :from_day AND :to_day;

WITH rung AS (
    SELECT
        known.behaviour,
        known.step,
        known.position,
        known.days,
        lead(known.days) OVER (
            PARTITION BY known.behaviour ORDER BY known.position
        ) AS next_days
    FROM
        jsonb_to_recordset(CAST(:ladder AS jsonb)) AS known (
            behaviour text, step text, position integer, days double precision
        )
),

quiet AS (
    SELECT
        noted.behaviour,
        noted.dormant_since,
        noted.pace,
        noted.from_day,
        lead(noted.from_day) OVER (
            PARTITION BY noted.contact_id ORDER BY noted.from_day
        ) AS until_day
    FROM past_quiet AS noted
),

stay AS (
    SELECT
        rung.step,
        reached.entered_on >= quiet.from_day AS has_entered,
        greatest(reached.entered_on, quiet.from_day) AS began_on,
        least(
            quiet.until_day, quiet.dormant_since + cohort.rung_days(rung.next_days, quiet.pace)
        ) AS left_on
    FROM quiet
    INNER JOIN rung ON quiet.behaviour = rung.behaviour
    CROSS JOIN
        LATERAL (
            SELECT quiet.dormant_since + cohort.rung_days(rung.days, quiet.pace) AS entered_on
        ) AS reached
),

moved AS (
    SELECT
        change.step,
        -- What happened before the span is its opening balance.
        greatest(change.happened_on, CAST(:from_day AS date)) AS as_of,
        count(*) FILTER (
            WHERE change.has_entered AND change.happened_on >= CAST(:from_day AS date)
        ) AS entered,
        sum(change.net) AS net
    FROM (
        SELECT
            stay.step,
            stay.began_on AS happened_on,
            stay.has_entered,
            1 AS net
        FROM stay
        WHERE stay.began_on < coalesce(stay.left_on, 'infinity') AND stay.began_on <= :to_day
        UNION ALL
        SELECT
            stay.step,
            stay.left_on,
            FALSE,
            -1
        FROM stay
        WHERE stay.began_on < stay.left_on AND stay.left_on <= :to_day
    ) AS change
    GROUP BY change.step, greatest(change.happened_on, CAST(:from_day AS date))
),

decided AS (
    SELECT
        decision.as_of,
        decision.step,
        count(*) AS due,
        count(*) FILTER (WHERE decision.action = 'send') AS would_send
    FROM cohort__decision AS decision
    WHERE decision.as_of BETWEEN :from_day AND :to_day
    GROUP BY decision.as_of, decision.step
)

INSERT INTO history.cohort_day (
    scenario, as_of, step, entered, dormant, due, would_send, segments, cost, policy_version
)
SELECT
    :scenario,
    CAST(day.as_of AS date),
    step.step,
    coalesce(moved.entered, 0),
    sum(coalesce(moved.net, 0)) OVER (PARTITION BY step.step ORDER BY day.as_of),
    coalesce(decided.due, 0),
    coalesce(decided.would_send, 0),
    coalesce(told.segments, 0),
    coalesce(told.cost, 0),
    :policy_version
FROM generate_series(CAST(:from_day AS date), CAST(:to_day AS date), interval '1 day') AS day (as_of)
CROSS JOIN (SELECT DISTINCT rung.step FROM rung) AS step
LEFT JOIN moved ON step.step = moved.step AND CAST(day.as_of AS date) = moved.as_of
LEFT JOIN decided ON step.step = decided.step AND CAST(day.as_of AS date) = decided.as_of
LEFT JOIN past_cost AS told ON step.step = told.step AND CAST(day.as_of AS date) = told.as_of;

INSERT INTO history.cohort_reason (scenario, as_of, step, action, reason, contacts)
SELECT
    :scenario,
    decision.as_of,
    decision.step,
    decision.action,
    decision.reason,
    count(*)
FROM cohort__decision AS decision
WHERE decision.as_of BETWEEN :from_day AND :to_day
GROUP BY decision.as_of, decision.step, decision.action, decision.reason;

INSERT INTO history.audience (contact_id, scenario, as_of, step, reason)
SELECT
    decision.contact_id,
    :scenario,
    decision.as_of,
    decision.step,
    decision.reason
FROM cohort__decision AS decision
WHERE decision.as_of BETWEEN :from_day AND :to_day AND CAST(:with_audience AS boolean);
