-- The load's contact cards, with every id they hold, ready to be matched.
-- Grain: card × id (its own, and those of other sources). Reads: raw.contact, core.contact.
-- Writes: the temporary table card_id. Parameters: load_id, source, loyalty_source, shop_source,
-- is_phone_verified, is_email_verified. Gone with the transaction.
DROP TABLE IF EXISTS card_id;

CREATE TEMPORARY TABLE card_id ON COMMIT DROP AS
SELECT
    card.source_contact_id AS card,
    id.source,
    id.source_contact_id,
    id.is_own
FROM raw.contact AS card
CROSS JOIN
    LATERAL (
        VALUES
        (card.source, card.source_contact_id, TRUE),
        (:loyalty_source, card.loyalty_card_id, FALSE),
        (:shop_source, card.shop_account_id, FALSE)
    ) AS id (source, source_contact_id, is_own)
WHERE
    card.load_id = :load_id
    AND card.status = 'loaded'
    AND id.source_contact_id IS NOT NULL;

-- A verified phone or email joins a card to the contact that has it already, through that
-- contact's first identity.
INSERT INTO card_id (card, source, source_contact_id, is_own)
SELECT
    card.source_contact_id,
    known.first_source,
    known.first_source_contact_id,
    FALSE
FROM (
    SELECT
        fresh.source_contact_id,
        CASE WHEN :is_phone_verified THEN fresh.phone_hash END AS phone_hash,
        CASE WHEN :is_email_verified THEN fresh.email END AS email
    FROM raw.contact AS fresh
    WHERE
        fresh.load_id = :load_id
        AND fresh.status = 'loaded'
        AND NOT EXISTS (
            SELECT 1
            FROM core.contact_identity AS identity
            WHERE
                identity.source = fresh.source
                AND identity.source_contact_id = fresh.source_contact_id
        )
) AS card
INNER JOIN LATERAL (
    SELECT phone.contact_id
    FROM core.contact AS phone
    WHERE phone.phone_hash = card.phone_hash
    UNION
    SELECT email.contact_id
    FROM core.contact AS email
    WHERE email.email = card.email
) AS match ON TRUE
INNER JOIN core.contact AS known ON match.contact_id = known.contact_id
WHERE known.merged_into IS NULL AND known.status <> 'erased';

-- Two new cards of one load with one verified phone or email are one person as well.
INSERT INTO card_id (card, source, source_contact_id, is_own)
SELECT
    card.source_contact_id,
    card.source,
    min(card.source_contact_id) OVER (PARTITION BY card.phone_hash),
    FALSE
FROM raw.contact AS card
WHERE
    :is_phone_verified
    AND card.load_id = :load_id
    AND card.status = 'loaded'
    AND card.phone_hash IS NOT NULL
UNION ALL
SELECT
    card.source_contact_id,
    card.source,
    min(card.source_contact_id) OVER (PARTITION BY card.email),
    FALSE
FROM raw.contact AS card
WHERE
    :is_email_verified
    AND card.load_id = :load_id
    AND card.status = 'loaded'
    AND card.email IS NOT NULL;

ANALYZE card_id;
