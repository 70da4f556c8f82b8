-- Move the episodes on after the decisions of a day, to where episode/place says that they stand, and
-- note what all their decisions say: what is used up, in which arm they are, what was sent last.
-- Grain: episode decided on as_of. Reads: the temporary tables counted (of episode/place_decided) and
-- placed. Writes: cohort.episode. Parameters: as_of. Twice: the same values.
UPDATE cohort.episode AS episode
SET
    arm = CASE
        WHEN told.action = 'send' THEN coalesce(episode.arm, 'treatment')
        WHEN told.reason = 'control' THEN coalesce(episode.arm, 'control')
        ELSE episode.arm
    END,
    first_eligible_on = told.first_eligible_on,
    first_step = told.first_step,
    done_steps = coalesce(told.done_steps, '{}'),
    done_days = coalesce(told.done_days, 0),
    done_position = placed.done_position,
    last_step = told.step,
    last_days = told.inactive_days,
    last_position = placed.last_position,
    is_waiting = NOT told.is_final,
    last_action = told.action,
    last_sent_on = told.last_sent_on,
    last_final_on = told.last_final_on,
    next_step = placed.next_step,
    next_due_on = placed.next_due_on
FROM placed
INNER JOIN (
    SELECT
        counted.contact_id,
        counted.dormant_since,
        array_agg(DISTINCT counted.step) FILTER (WHERE counted.is_done) AS done_steps,
        max(counted.inactive_days) FILTER (WHERE counted.is_done) AS done_days,
        min(counted.as_of) FILTER (
            WHERE counted.action = 'send' OR counted.reason = 'control'
        ) AS first_eligible_on,
        (
            array_agg(counted.step ORDER BY counted.as_of) FILTER (
                WHERE counted.action = 'send' OR counted.reason = 'control'
            )
        )[1] AS first_step,
        max(counted.as_of) FILTER (WHERE counted.action = 'send') AS last_sent_on,
        max(counted.as_of) FILTER (
            WHERE counted.is_final AND counted.reason <> 'opened'
        ) AS last_final_on,
        -- Of the day itself, of which there is one.
        max(counted.step) FILTER (WHERE counted.as_of = :as_of) AS step,
        max(counted.inactive_days) FILTER (WHERE counted.as_of = :as_of) AS inactive_days,
        max(counted.action) FILTER (WHERE counted.as_of = :as_of) AS action,
        max(counted.reason) FILTER (WHERE counted.as_of = :as_of) AS reason,
        bool_or(counted.is_final) FILTER (WHERE counted.as_of = :as_of) AS is_final
    FROM counted
    GROUP BY counted.contact_id, counted.dormant_since
) AS told
    ON placed.contact_id = told.contact_id AND placed.dormant_since = told.dormant_since
WHERE
    episode.contact_id = placed.contact_id
    AND episode.dormant_since = placed.dormant_since;
