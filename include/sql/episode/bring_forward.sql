-- Evaluate held episodes again of which what stood in the way may be gone. Control stays control, and a
-- ladder that is used up stays so.
-- Grain: episode. Reads: the temporary table released. Writes: cohort.episode. Parameters: as_of, rungs
-- (of the ladder). Twice: the same date.
UPDATE cohort.episode AS episode
SET
    next_due_on = least(coalesce(episode.next_due_on, CAST(:as_of AS date)), CAST(:as_of AS date)),
    last_position = episode.done_position
FROM released
WHERE
    released.contact_id = episode.contact_id
    AND episode.closed_on IS NULL
    AND episode.done_position < CAST(:rungs AS integer)
    AND episode.last_action = 'hold'
    AND episode.arm IS DISTINCT FROM 'control';
