-- Note the contacts whose purchases a refund may take back: who gives something back in this load,
-- and whose purchase comes in after what was given back later.
-- Grain: contact. Reads: the temporary table arrived, core.interaction (by interaction_refunds).
-- Writes: the temporary table corrected. No parameters. Twice: noted once.
INSERT INTO corrected (contact_id)
SELECT DISTINCT arrived.contact_id
FROM arrived
WHERE
    arrived.kind = 'refund'
    OR (
        arrived.kind = 'purchase'
        AND arrived.contact_id IN (
            SELECT refund.contact_id
            FROM core.interaction AS refund
            WHERE refund.kind = 'refund' AND refund.occurred_at >= arrived.occurred_at
        )
    )
ON CONFLICT (contact_id) DO NOTHING;
