-- purpose: every quiet spell that is over and how it ended, for a spreadsheet: ids, no identities
-- grain: contact x dormant_since; reads: outcome.contact_outcome, core.source_ids;
--        writes: nothing
-- parameters: none
-- twice: it only reads
SELECT
    contact_outcome.contact_id,
    contact_outcome.dormant_since,
    contact_outcome.arm,
    contact_outcome.outcome,
    contact_outcome.decided_on,
    contact_outcome.steps_sent,
    contact_outcome.first_open_at,
    contact_outcome.returned_on,
    contact_outcome.revenue,
    nullif(cast(contact_outcome.other_revenue AS text), '{}') AS other_revenue,
    contact_outcome.cost,
    named.ids AS source_ids
FROM outcome.contact_outcome AS contact_outcome
LEFT JOIN
    LATERAL (
        SELECT source_ids.ids
        FROM core.source_ids AS source_ids
        WHERE source_ids.contact_id = contact_outcome.contact_id
    ) AS named
    ON TRUE
ORDER BY contact_outcome.contact_id, contact_outcome.dormant_since;
