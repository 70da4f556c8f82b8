-- Whose links were followed in some time: the contacts that were written to, and the persons that they
-- have turned out to be.
-- Grain: contact. Reads: outbox.hit, core.contact. Writes: the temporary table touched. Parameters:
-- since, until (exclusive; NULL for no bound), after_contact_id (exclusive), through_contact_id.
-- Twice: the same rows.
DROP TABLE IF EXISTS touched;

-- is_acquitted: what gave them up would not have (episode/judge_again).
CREATE TEMPORARY TABLE touched ON COMMIT DROP AS
SELECT
    hit.contact_id,
    FALSE AS is_acquitted
FROM outbox.hit AS hit
WHERE
    hit.at >= coalesce(CAST(:since AS timestamptz), '-infinity')
    AND hit.at < coalesce(CAST(:until AS timestamptz), 'infinity')
    AND hit.contact_id > CAST(:after_contact_id AS bigint)
    AND hit.contact_id <= CAST(:through_contact_id AS bigint)
GROUP BY hit.contact_id;

ANALYZE touched;

INSERT INTO touched (contact_id, is_acquitted)
SELECT DISTINCT
    contact.merged_into,
    FALSE
FROM touched
INNER JOIN core.contact AS contact ON touched.contact_id = contact.contact_id
LEFT JOIN touched AS known ON contact.merged_into = known.contact_id
WHERE contact.merged_into IS NOT NULL AND known.contact_id IS NULL;
