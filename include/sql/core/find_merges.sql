-- Contacts that a card says are one person: it holds ids of both. The lower id stays.
-- Grain: contact to be merged. Reads: card_id, core.contact_identity. No parameters.
SELECT
    pair.contact_id AS merged_id,
    min(pair.kept_id) AS kept_id
FROM (
    SELECT DISTINCT
        identity.contact_id,
        min(identity.contact_id) OVER (PARTITION BY card_id.card) AS kept_id
    FROM card_id
    INNER JOIN core.contact_identity AS identity
        ON
            card_id.source = identity.source
            AND card_id.source_contact_id = identity.source_contact_id
) AS pair
WHERE pair.kept_id < pair.contact_id
GROUP BY pair.contact_id;
