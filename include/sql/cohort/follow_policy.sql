-- The ladder changed: open episodes follow the new one, from where they stand on it.
-- A step keeps its place by its name; of one that is gone, every rung counts as passed whose days
-- were over when it was decided. A clock that is gone hands over to the first that is left.
-- Grain: open episode. Reads: cohort.dormancy. Writes: cohort.episode, core.derived_from.
-- Parameters: as_of, ladder, ladder_text. Twice: the same values.
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

open AS (
    SELECT
        episode.contact_id,
        episode.dormant_since,
        episode.done_steps,
        episode.done_days,
        episode.last_step,
        episode.last_days,
        episode.is_waiting,
        coalesce(dormancy.pace, episode.pace) AS pace,
        coalesce(clock.behaviour, (SELECT min(rung.behaviour) FROM rung)) AS behaviour
    FROM cohort.episode AS episode
    LEFT JOIN cohort.dormancy AS dormancy
        ON
            episode.contact_id = dormancy.contact_id
            AND episode.dormant_since = dormancy.dormant_since
    LEFT JOIN (SELECT DISTINCT rung.behaviour FROM rung) AS clock
        ON episode.behaviour = clock.behaviour
    WHERE episode.closed_on IS NULL
),

placed AS (
    SELECT
        open.contact_id,
        open.dormant_since,
        open.behaviour,
        open.pace,
        coalesce(done.position, 0) AS done_position,
        greatest(
            coalesce(done.position, 0),
            coalesce(last.position, 0) - CASE WHEN open.is_waiting THEN 1 ELSE 0 END
        ) AS last_position
    FROM open
    CROSS JOIN
        LATERAL (
            SELECT max(rung.position) AS position
            FROM rung
            WHERE
                rung.behaviour = open.behaviour
                AND (
                    rung.step = ANY(open.done_steps)
                    OR (
                        NOT open.done_steps <@ (SELECT array_agg(any_rung.step) FROM rung AS any_rung)
                        AND round(rung.days * open.pace) <= open.done_days
                    )
                )
        ) AS done
    CROSS JOIN
        LATERAL (
            SELECT max(rung.position) AS position
            FROM rung
            WHERE
                rung.behaviour = open.behaviour
                AND (
                    rung.step = open.last_step
                    OR (
                        open.last_step NOT IN (SELECT any_rung.step FROM rung AS any_rung)
                        AND round(rung.days * open.pace) <= open.last_days
                    )
                )
        ) AS last
)

UPDATE cohort.episode AS episode
SET
    behaviour = placed.behaviour,
    pace = placed.pace,
    done_position = placed.done_position,
    last_position = placed.last_position,
    next_step = next.step,
    next_due_on = CASE
        WHEN next.step IS NULL THEN NULL
        WHEN episode.is_waiting THEN episode.next_due_on
        ELSE greatest(
            CAST(:as_of AS date),
            episode.dormant_since + greatest(1, CAST(round(next.days * placed.pace) AS integer))
        )
    END
FROM placed
LEFT JOIN rung AS next
    ON placed.behaviour = next.behaviour AND next.position = placed.last_position + 1
WHERE
    episode.contact_id = placed.contact_id
    AND episode.dormant_since = placed.dormant_since;

INSERT INTO core.derived_from (name, value)
VALUES ('ladder', :ladder_text)
ON CONFLICT (name) DO UPDATE SET value = excluded.value;
