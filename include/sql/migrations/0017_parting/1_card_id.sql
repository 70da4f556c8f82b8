-- What the cards have said so far, as far as raw still has it. Which ids the columns mean, and what
-- is verified, the YAML says: the next load of each source reads it all again by that. Here a card
-- holds an id that it named, and that was made one contact with it.
INSERT INTO core.card_id (source, source_contact_id, id_source, id, load_id)
SELECT
    card.source,
    card.record_key,
    card.source,
    card.record_key,
    min(card.load_id)
FROM raw.contact AS card
INNER JOIN core.contact_identity AS identity
    ON card.source = identity.source AND card.record_key = identity.source_contact_id
WHERE card.status IN ('loaded', 'superseded')
GROUP BY card.source, card.record_key;

ANALYZE core.card_id;

INSERT INTO core.card_id (source, source_contact_id, id_source, id, load_id)
SELECT
    card.source,
    card.record_key,
    held.source,
    held.source_contact_id,
    min(card.load_id)
FROM raw.contact AS card
CROSS JOIN LATERAL (VALUES (card.loyalty_card_id), (card.shop_account_id)) AS named (id)
INNER JOIN core.contact_identity AS identity
    ON card.source = identity.source AND card.record_key = identity.source_contact_id
INNER JOIN core.contact_identity AS held
    ON identity.contact_id = held.contact_id AND named.id = held.source_contact_id
WHERE card.status IN ('loaded', 'superseded') AND held.source <> card.source
GROUP BY card.source, card.record_key, held.source, held.source_contact_id;

INSERT INTO core.card_id (source, source_contact_id, id_source, id, is_verified, load_id)
SELECT DISTINCT ON (card.source, card.record_key, address.id_source)
    card.source,
    card.record_key,
    address.id_source,
    address.id,
    FALSE,
    card.load_id
FROM raw.contact AS card
INNER JOIN core.card_id AS own
    ON
        card.source = own.source
        AND card.record_key = own.source_contact_id
        AND card.source = own.id_source
        AND card.record_key = own.id
CROSS JOIN
    LATERAL (
        VALUES
        ('@phone', card.phone_hash),
        ('@email', encode(sha256(convert_to(lower(card.email), 'UTF8')), 'hex'))
    ) AS address (id_source, id)
WHERE card.status IN ('loaded', 'superseded') AND address.id IS NOT NULL
ORDER BY
    card.source ASC, card.record_key ASC, address.id_source ASC,
    card.load_id DESC, card.file_id DESC, card.line DESC;

ANALYZE core.card_id;
