-- Note the contacts whose purchases came in out of order: a gap between purchases that are known
-- already is split, so their activity is made anew.
-- Grain: contact. Reads: the temporary table arrived, core.contact_activity. Writes: the temporary
-- table corrected. No parameters. Twice: noted once.
INSERT INTO corrected (contact_id)
SELECT DISTINCT activity.contact_id
FROM arrived
INNER JOIN core.contact_activity AS activity
    ON
        arrived.contact_id = activity.contact_id
        AND arrived.dated_on < activity.last_purchase_on
WHERE arrived.kind = 'purchase'
ON CONFLICT (contact_id) DO NOTHING;
