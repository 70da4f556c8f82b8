-- Move the episodes on after the decisions of a day, from all decisions they have: what is used up,
-- in which arm they are, and when they are looked at next. After a decision that waiting would not
-- change the next threshold is due, or none; after the others, tomorrow.
-- Grain: episode decided on as_of. Reads: cohort.decision. Writes: cohort.episode.
-- Parameters: as_of, ladder, is_in_order. Twice: the same values.
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

told AS (
    SELECT
        today.contact_id,
        today.dormant_since,
        today.step,
        today.inactive_days,
        today.action,
        today.reason,
        today.is_final,
        array_agg(DISTINCT every.step) FILTER (
            WHERE every.action IN ('send', 'skip') OR every.reason = 'control'
        ) AS done_steps,
        max(every.inactive_days) FILTER (
            WHERE every.action IN ('send', 'skip') OR every.reason = 'control'
        ) AS done_days,
        min(every.as_of) FILTER (
            WHERE every.action = 'send' OR every.reason = 'control'
        ) AS first_eligible_on,
        max(every.as_of) FILTER (WHERE every.action = 'send') AS last_sent_on,
        max(every.as_of) FILTER (WHERE every.is_final AND every.reason <> 'opened') AS last_final_on
    FROM cohort.decision AS today
    INNER JOIN cohort.decision AS every
        ON
            today.contact_id = every.contact_id
            AND today.dormant_since = every.dormant_since
            AND every.as_of <= :as_of
    WHERE today.as_of = :as_of
    GROUP BY today.contact_id, today.as_of
),

moved AS (
    SELECT
        told.*,
        this.position,
        next.step AS next_step,
        greatest(1, CAST(round(next.days * episode.pace) AS integer)) AS next_days,
        greatest(1, CAST(round(next.days * episode.pace) AS integer))
        - greatest(1, CAST(round(this.days * episode.pace) AS integer)) AS days_between,
        (
            SELECT max(rung.position)
            FROM rung
            WHERE
                rung.behaviour = episode.behaviour
                AND (
                    rung.step = ANY(told.done_steps)
                    -- Of a step that the policy has taken away, what its days had passed.
                    OR (
                        NOT told.done_steps <@ (SELECT array_agg(any_rung.step) FROM rung AS any_rung)
                        AND round(rung.days * episode.pace) <= told.done_days
                    )
                )
        ) AS done_position
    FROM told
    INNER JOIN cohort.episode AS episode
        ON told.contact_id = episode.contact_id AND told.dormant_since = episode.dormant_since
    INNER JOIN rung AS this ON episode.behaviour = this.behaviour AND told.step = this.step
    LEFT JOIN rung AS next ON this.behaviour = next.behaviour AND this.position + 1 = next.position
)

UPDATE cohort.episode AS episode
SET
    arm = CASE
        WHEN moved.action = 'send' THEN coalesce(episode.arm, 'treatment')
        WHEN moved.reason = 'control' THEN coalesce(episode.arm, 'control')
        ELSE episode.arm
    END,
    first_eligible_on = moved.first_eligible_on,
    first_step = (
        SELECT first.step
        FROM cohort.decision AS first
        WHERE first.contact_id = moved.contact_id AND first.as_of = moved.first_eligible_on
    ),
    done_steps = coalesce(moved.done_steps, '{}'),
    done_days = coalesce(moved.done_days, 0),
    done_position = coalesce(moved.done_position, 0),
    last_step = moved.step,
    last_days = moved.inactive_days,
    last_position = CASE WHEN moved.is_final THEN moved.position ELSE moved.position - 1 END,
    is_waiting = NOT moved.is_final,
    last_action = moved.action,
    last_sent_on = moved.last_sent_on,
    last_final_on = moved.last_final_on,
    next_step = CASE WHEN moved.is_final THEN moved.next_step ELSE moved.step END,
    next_due_on = CASE
        WHEN NOT moved.is_final THEN CAST(:as_of AS date) + 1
        WHEN moved.next_step IS NULL THEN NULL
        WHEN CAST(:is_in_order AS boolean)
            THEN
                greatest(
                    episode.dormant_since + moved.next_days,
                    CAST(:as_of AS date) + moved.days_between
                )
        ELSE episode.dormant_since + moved.next_days
    END
FROM moved
WHERE
    episode.contact_id = moved.contact_id
    AND episode.dormant_since = moved.dormant_since
    AND episode.closed_on IS NULL;
