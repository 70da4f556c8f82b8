-- Move the episodes on after the decisions of a day, from all decisions they have: what is used up,
-- in which arm they are, and when they are looked at next. After a decision that waiting would not
-- change the next threshold is due, or none; after the others, tomorrow.
-- Grain: episode decided on as_of. Reads: cohort.decision. Writes: cohort.episode.
-- Parameters: as_of, ladder, is_in_order, contact_ids (NULL: all of the day). Twice: the same values.
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

-- All decisions of the episodes, each with its rung; of a step that the policy has taken away, the
-- last rung whose days were over.
taken AS (
    SELECT
        every.contact_id,
        every.dormant_since,
        every.as_of,
        every.step,
        every.inactive_days,
        every.action,
        every.reason,
        every.is_final,
        every.action IN ('send', 'skip') OR every.reason = 'control' AS is_done,
        coalesce(
            this.position,
            (
                SELECT max(over.position)
                FROM rung AS over
                WHERE
                    over.behaviour = episode.behaviour
                    AND round(over.days * episode.pace) <= every.inactive_days
            ),
            0
        ) AS position
    FROM cohort.decision AS today
    INNER JOIN cohort.decision AS every
        ON
            today.contact_id = every.contact_id
            AND today.dormant_since = every.dormant_since
            AND every.as_of <= :as_of
    INNER JOIN cohort.episode AS episode
        ON today.contact_id = episode.contact_id AND today.dormant_since = episode.dormant_since
    LEFT JOIN rung AS this ON episode.behaviour = this.behaviour AND every.step = this.step
    WHERE
        today.as_of = :as_of
        AND (
            CAST(:contact_ids AS bigint[]) IS NULL
            OR today.contact_id = ANY(CAST(:contact_ids AS bigint[]))
        )
),

told AS (
    SELECT
        taken.contact_id,
        taken.dormant_since,
        array_agg(DISTINCT taken.step) FILTER (WHERE taken.is_done) AS done_steps,
        max(taken.inactive_days) FILTER (WHERE taken.is_done) AS done_days,
        max(taken.position) FILTER (WHERE taken.is_done) AS done_position,
        min(taken.as_of) FILTER (
            WHERE taken.action = 'send' OR taken.reason = 'control'
        ) AS first_eligible_on,
        max(taken.as_of) FILTER (WHERE taken.action = 'send') AS last_sent_on,
        max(taken.as_of) FILTER (WHERE taken.is_final AND taken.reason <> 'opened') AS last_final_on,
        -- Of the day itself, of which there is one.
        max(taken.step) FILTER (WHERE taken.as_of = :as_of) AS step,
        max(taken.inactive_days) FILTER (WHERE taken.as_of = :as_of) AS inactive_days,
        max(taken.action) FILTER (WHERE taken.as_of = :as_of) AS action,
        max(taken.reason) FILTER (WHERE taken.as_of = :as_of) AS reason,
        bool_or(taken.is_final) FILTER (WHERE taken.as_of = :as_of) AS is_final,
        max(taken.position) FILTER (WHERE taken.as_of = :as_of) AS position
    FROM taken
    GROUP BY taken.contact_id, taken.dormant_since
),

moved AS (
    SELECT
        told.*,
        next.step AS next_step,
        greatest(1, CAST(round(next.days * episode.pace) AS integer)) AS next_days,
        greatest(1, CAST(round(next.days * episode.pace) AS integer))
        - CASE
            WHEN same.step IS NOT NULL
                THEN greatest(1, CAST(round(same.days * episode.pace) AS integer))
        END AS days_between
    FROM told
    INNER JOIN cohort.episode AS episode
        ON told.contact_id = episode.contact_id AND told.dormant_since = episode.dormant_since
    LEFT JOIN rung AS same ON episode.behaviour = same.behaviour AND told.step = same.step
    LEFT JOIN rung AS next
        ON episode.behaviour = next.behaviour AND told.position + 1 = next.position
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
