-- Whom the loads after one have touched as well: added to whose links were followed.
-- Grain: contact. Reads: core.contact_activity. Writes: the temporary table touched. Parameters:
-- after_load_id. Twice: the same rows.
INSERT INTO touched (contact_id, is_acquitted)
SELECT
    activity.contact_id,
    FALSE
FROM core.contact_activity AS activity
LEFT JOIN touched AS known ON activity.contact_id = known.contact_id
WHERE activity.updated_load_id > :after_load_id AND known.contact_id IS NULL;

ANALYZE touched;
