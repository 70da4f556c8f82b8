-- Note the contacts whose purchases came in out of order: a gap between purchases that are known
-- already is split, so their activity is made anew.
-- Grain: contact. Reads: raw.interaction of the load, core.contact_activity. Writes: the temporary
-- table corrected. Parameters: load_id. Twice: noted once.
INSERT INTO corrected (contact_id)
SELECT DISTINCT activity.contact_id
FROM raw.interaction AS interaction
INNER JOIN core.contact_identity AS identity
    ON
        interaction.contact_source = identity.source
        AND interaction.source_contact_id = identity.source_contact_id
INNER JOIN core.contact_activity AS activity
    ON
        identity.contact_id = activity.contact_id
        AND interaction.dated_on < activity.last_purchase_on
WHERE
    interaction.load_id = :load_id
    AND interaction.status = 'loaded'
    AND interaction.kind = 'purchase'
ON CONFLICT (contact_id) DO NOTHING;
