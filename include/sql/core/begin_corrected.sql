-- Name the contacts whose activity is to be made anew.
-- Grain: contact. Writes: the temporary table corrected. Parameters: contact_ids.
-- Gone with the transaction.
DROP TABLE IF EXISTS corrected;

CREATE TEMPORARY TABLE corrected (contact_id bigint PRIMARY KEY) ON COMMIT DROP;

INSERT INTO corrected (contact_id)
SELECT DISTINCT wanted.contact_id
FROM unnest(CAST(:contact_ids AS bigint[])) AS wanted (contact_id);

ANALYZE corrected;
