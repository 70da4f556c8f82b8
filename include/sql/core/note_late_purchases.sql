-- Note the contacts whose activity is to be made anew, as adding would not do: purchases that came in
-- out of order split a gap between purchases that are known already; of who is held by a shared id
-- the last own purchase is not kept; and what was taken back under a shared id holds nobody.
-- Grain: contact. Reads: the temporary table arrived, core.contact_activity, core.restraint. Writes:
-- the temporary table corrected. No parameters. Twice: noted once.
INSERT INTO corrected (contact_id)
SELECT DISTINCT activity.contact_id
FROM arrived
INNER JOIN core.contact_activity AS activity
    ON
        arrived.contact_id = activity.contact_id
        AND arrived.dated_on < activity.last_purchase_on
WHERE arrived.kind = 'purchase'
ON CONFLICT (contact_id) DO NOTHING;

INSERT INTO corrected (contact_id)
SELECT DISTINCT restraint.contact_id
FROM arrived
INNER JOIN core.restraint AS restraint ON arrived.contact_id = restraint.contact_id
WHERE arrived.kind = 'purchase' AND restraint.hold = 'whole'
ON CONFLICT (contact_id) DO NOTHING;

INSERT INTO corrected (contact_id)
SELECT DISTINCT restraint.contact_id
FROM corrected
INNER JOIN core.restraint AS restraint ON corrected.contact_id = restraint.by_contact_id
ON CONFLICT (contact_id) DO NOTHING;
