-- purpose: every quiet spell that is over and how it ended, for a spreadsheet: ids, no identities
-- grain: contact x dormant_since; reads: outcome.contact_outcome; writes: nothing
-- parameters: none
-- twice: it only reads
SELECT
    contact_id,
    dormant_since,
    arm,
    outcome,
    decided_on,
    steps_sent,
    first_open_at,
    returned_on,
    revenue,
    nullif(cast(other_revenue AS text), '{}') AS other_revenue,
    cost
FROM outcome.contact_outcome
ORDER BY contact_id, dormant_since;
