-- A contact whose story shows the most: texted more than once, opened, and over.
-- Grain: one row or none. Reads: outcome.contact_outcome, cohort.episode. No parameters.
SELECT contact_outcome.contact_id
FROM outcome.contact_outcome AS contact_outcome
WHERE contact_outcome.steps_sent > 0
ORDER BY
    contact_outcome.outcome = 'active' DESC,
    contact_outcome.first_open_at IS NOT NULL DESC,
    contact_outcome.steps_sent DESC,
    contact_outcome.contact_id ASC
LIMIT 1;
