-- No step can follow for episodes whose next rung the policy has taken away.
-- Grain: episode. Writes: cohort.episode. Parameters: as_of, last_days (of the ladder's last step).
-- Twice: the same values.
UPDATE cohort.episode AS episode
SET next_due_on = NULL, next_step = NULL
WHERE
    episode.closed_on IS NULL
    AND episode.next_due_on <= :as_of
    AND episode.done_days >= CAST(:last_days AS integer);
