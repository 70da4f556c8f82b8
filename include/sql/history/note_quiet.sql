-- Note of whom a day has touched since when they are quiet, and at what pace.
-- Grain: contact. Reads: cohort__dormancy, core__contact_activity, the temporary table closing (of
-- episode/close). Writes: past_quiet. Parameters: as_of, load_id. Once a day.
INSERT INTO past_quiet (contact_id, from_day, behaviour, dormant_since, pace)
SELECT
    dormancy.contact_id,
    :as_of,
    dormancy.behaviour,
    dormancy.dormant_since,
    dormancy.pace
FROM (
    SELECT activity.contact_id
    FROM core__contact_activity AS activity
    WHERE activity.updated_load_id = :load_id
    UNION
    SELECT closing.contact_id FROM closing
) AS touched
INNER JOIN cohort__dormancy AS dormancy ON touched.contact_id = dormancy.contact_id;
