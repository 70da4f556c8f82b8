-- Put open episodes where episode/place says that they stand.
-- Grain: episode. Reads: the temporary table placed. Writes: cohort.episode. No parameters. Twice: the
-- same values.
UPDATE cohort.episode AS episode
SET
    behaviour = placed.behaviour,
    pace = placed.pace,
    done_position = placed.done_position,
    last_position = placed.last_position,
    next_step = placed.next_step,
    next_due_on = placed.next_due_on
FROM placed
WHERE
    episode.contact_id = placed.contact_id
    AND episode.dormant_since = placed.dormant_since
    AND episode.closed_on IS NULL;
