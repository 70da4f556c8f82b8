-- Write down for open episodes what their decisions say (audit_episodes). When they are due next
-- stays: only the days that were decided know it.
-- Grain: open episode. Writes: cohort.episode. Parameters: anew. Twice: the same values.
UPDATE cohort.episode AS episode
SET
    done_steps = anew.done_steps,
    done_days = anew.done_days,
    done_position = anew.done_position,
    first_eligible_on = anew.first_eligible_on,
    first_step = anew.first_step,
    last_sent_on = anew.last_sent_on,
    last_final_on = anew.last_final_on,
    last_step = anew.last_step,
    last_days = anew.last_days,
    last_action = anew.last_action,
    is_waiting = anew.is_waiting,
    is_opened = anew.is_opened,
    returned_on = anew.returned_on
FROM
    jsonb_to_recordset(CAST(:anew AS jsonb)) AS anew (
        contact_id bigint,
        dormant_since date,
        done_steps text[],
        done_days integer,
        done_position integer,
        first_eligible_on date,
        first_step text,
        last_sent_on date,
        last_final_on date,
        last_step text,
        last_days integer,
        last_action cohort.action,
        is_waiting boolean,
        is_opened boolean,
        returned_on date
    )
WHERE
    episode.contact_id = anew.contact_id
    AND episode.dormant_since = anew.dormant_since
    AND episode.closed_on IS NULL;
