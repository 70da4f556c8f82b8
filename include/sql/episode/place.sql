-- Where episodes stand on the ladder, and when they are looked at next: the one place that says so.
--
-- A step keeps its rung by its name; of a step that the policy has taken away, every rung counts as
-- passed whose days were over when it was decided. The next rung is the one after the highest that is
-- passed, or the one that waits; in order, it keeps its distance in days from the last that was passed.
--
-- Grain: episode. Reads: the temporary tables climbing and counted. Writes: the temporary table placed.
-- climbing: contact_id, dormant_since, behaviour, pace, waiting_step (the step that only waits, if the
-- last decision was such a one), again_on (when that is looked at again, NULL: when its days are over),
-- not_before (NULL: no bound). counted: contact_id, dormant_since, as_of, step, inactive_days, is_done
-- (used up), is_passed (passes its rung, used up or held for good).
-- Parameters: ladder, is_in_order. Twice: the same rows.
DROP TABLE IF EXISTS placed;

CREATE TEMPORARY TABLE placed ON COMMIT DROP AS
WITH rung AS (
    SELECT
        known.behaviour,
        known.step,
        known.position,
        known.days
    FROM
        jsonb_to_recordset(CAST(:ladder AS jsonb)) AS known (
            behaviour text, step text, position integer, days double precision
        )
),

stood AS (
    SELECT
        climbing.contact_id,
        climbing.dormant_since,
        max(coalesce(this.position, over.position)) AS position,
        max(coalesce(this.position, over.position)) FILTER (WHERE counted.is_done) AS done_position,
        max(counted.as_of) AS as_of,
        (
            array_agg(cohort.rung_days(this.days, climbing.pace) ORDER BY counted.as_of DESC)
        )[1] AS days
    FROM climbing
    INNER JOIN counted
        ON
            climbing.contact_id = counted.contact_id
            AND climbing.dormant_since = counted.dormant_since
            AND counted.is_passed
    LEFT JOIN rung AS this
        ON climbing.behaviour = this.behaviour AND counted.step = this.step
    LEFT JOIN rung AS over
        ON
            this.step IS NULL
            AND climbing.behaviour = over.behaviour
            AND cohort.rung_days(over.days, climbing.pace) <= counted.inactive_days
    GROUP BY climbing.contact_id, climbing.dormant_since
),

standing AS (
    SELECT
        climbing.contact_id,
        climbing.dormant_since,
        climbing.behaviour,
        climbing.pace,
        climbing.again_on,
        climbing.not_before,
        stood.as_of,
        stood.days,
        coalesce(stood.done_position, 0) AS done_position,
        CASE
            WHEN waiting.position IS NOT NULL
                THEN greatest(coalesce(stood.done_position, 0), waiting.position - 1)
            ELSE coalesce(stood.position, 0)
        END AS last_position
    FROM climbing
    LEFT JOIN stood
        ON
            climbing.contact_id = stood.contact_id
            AND climbing.dormant_since = stood.dormant_since
    LEFT JOIN rung AS waiting
        ON climbing.behaviour = waiting.behaviour AND climbing.waiting_step = waiting.step
)

SELECT
    standing.contact_id,
    standing.dormant_since,
    standing.behaviour,
    standing.pace,
    standing.done_position,
    standing.last_position,
    next.step AS next_step,
    CASE
        WHEN standing.again_on IS NOT NULL THEN standing.again_on
        WHEN next.step IS NOT NULL
            THEN greatest(
                standing.not_before,
                standing.dormant_since + cohort.rung_days(next.days, standing.pace),
                CASE
                    WHEN CAST(:is_in_order AS boolean)
                        THEN
                            standing.as_of
                            + cohort.rung_days(next.days, standing.pace)
                            - standing.days
                END
            )
    END AS next_due_on
FROM standing
LEFT JOIN rung AS next
    ON standing.behaviour = next.behaviour AND next.position = standing.last_position + 1;

ANALYZE placed;
