-- Bare: close the open episodes of the contacts who came back in the day's load.
-- Grain: episode. Reads: core.contact_activity. Writes: cohort.episode. Parameters: load_id.
-- Twice: a closed episode is not looked at again.
UPDATE cohort.episode AS episode
SET
    returned_on = activity.last_signal_on,
    closed_on = activity.last_signal_on,
    next_due_on = NULL
FROM core.contact_activity AS activity
WHERE
    activity.updated_load_id = :load_id
    AND episode.contact_id = activity.contact_id
    AND episode.closed_on IS NULL
    AND activity.last_signal_on > episode.dormant_since;
