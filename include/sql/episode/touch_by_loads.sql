-- Whom the loads after one have touched as well: added to whose links were followed.
-- Set against them as a whole: a join would go through what it is just adding, for each that it adds.
-- Grain: contact. Reads: core.contact_activity. Writes: the temporary table touched. Parameters:
-- after_load_id. Twice: the same rows.
INSERT INTO touched (contact_id, is_acquitted)
SELECT
    fresh.contact_id,
    FALSE
FROM (
    SELECT activity.contact_id
    FROM core.contact_activity AS activity
    WHERE activity.updated_load_id > :after_load_id
    EXCEPT
    SELECT known.contact_id FROM touched AS known
) AS fresh;

ANALYZE touched;
