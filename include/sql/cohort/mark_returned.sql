-- Note the first signal after dormant_since on open episodes of contacts that loads have touched.
-- Grain: episode. Reads: core.contact_activity, core.interaction. Writes: cohort.episode.
-- Parameters: after_load_id, signals. Twice: the same dates.
UPDATE cohort.episode AS episode
SET returned_on = signal.returned_on
FROM core.contact_activity AS activity
CROSS JOIN LATERAL (
    SELECT min(interaction.occurred_on) AS returned_on
    FROM core.interaction AS interaction
    INNER JOIN cohort.episode AS open
        ON interaction.contact_id = open.contact_id AND open.closed_on IS NULL
    WHERE
        interaction.contact_id = activity.contact_id
        AND interaction.occurred_on > open.dormant_since
        AND interaction.kind = ANY(CAST(:signals AS core.interaction_kind []))
) AS signal
WHERE
    activity.updated_load_id > :after_load_id
    AND episode.contact_id = activity.contact_id
    AND episode.closed_on IS NULL
    AND episode.returned_on IS DISTINCT FROM signal.returned_on;
