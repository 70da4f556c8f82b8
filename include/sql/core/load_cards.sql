-- Remember what the load's cards say of who they are: every id they name, for good; of phone and
-- email the last one. Returns how many they name.
-- Grain: card × id. Reads: raw.contact. Writes: core.card_id, the temporary tables card_said and
-- touched_card: cards that say something new; all of them, where is_whole. Parameters: load_id,
-- source, is_whole (all that the source has ever said is read, not the load alone), loyalty_source,
-- shop_source, is_phone_verified, is_email_verified. Twice: nothing is new.
DROP TABLE IF EXISTS card_said;

CREATE TEMPORARY TABLE card_said ON COMMIT DROP AS
WITH card AS (
    SELECT
        row.source,
        row.source_contact_id,
        row.loyalty_card_id,
        row.shop_account_id,
        -- Not the number's own hash: cards of before and after another key share their number.
        encode(sha256(convert_to(row.phone, 'UTF8')), 'hex') AS phone_digest,
        encode(sha256(convert_to(lower(row.email), 'UTF8')), 'hex') AS email_hash,
        row.load_id,
        row.file_id,
        row.line
    FROM raw.contact AS row
    WHERE
        (row.load_id = :load_id OR CAST(:is_whole AS boolean))
        AND row.source = :source
        AND row.status IN ('loaded', 'superseded')
)

SELECT
    card.source_contact_id,
    named.id_source,
    named.id,
    TRUE AS is_verified,
    min(card.load_id) AS load_id
FROM card
CROSS JOIN
    LATERAL (
        VALUES
        (card.source, card.source_contact_id),
        (CAST(:loyalty_source AS text), card.loyalty_card_id),
        (CAST(:shop_source AS text), card.shop_account_id)
    ) AS named (id_source, id)
WHERE named.id IS NOT NULL
GROUP BY card.source_contact_id, named.id_source, named.id
UNION ALL
SELECT
    latest.source_contact_id,
    latest.id_source,
    latest.id,
    latest.is_verified,
    latest.load_id
FROM (
    SELECT DISTINCT ON (card.source_contact_id, address.id_source)
        card.source_contact_id,
        address.id_source,
        address.id,
        address.is_verified,
        card.load_id
    FROM card
    CROSS JOIN
        LATERAL (
            VALUES
            ('@phone', card.phone_digest, CAST(:is_phone_verified AS boolean)),
            ('@email', card.email_hash, CAST(:is_email_verified AS boolean))
        ) AS address (id_source, id, is_verified)
    WHERE address.id IS NOT NULL
    ORDER BY
        card.source_contact_id ASC, address.id_source ASC,
        card.load_id DESC, card.file_id DESC, card.line DESC
) AS latest;

ANALYZE card_said;

DROP TABLE IF EXISTS touched_card;

CREATE TEMPORARY TABLE touched_card ON COMMIT DROP AS
SELECT
    known.source,
    known.source_contact_id
FROM core.card_id AS known
WHERE FALSE;

WITH gone AS (
    DELETE FROM core.card_id AS known
    USING card_said
    WHERE
        known.source = :source
        AND known.source_contact_id = card_said.source_contact_id
        AND known.id_source = card_said.id_source
        AND known.id <> card_said.id
        AND known.id_source IN ('@phone', '@email')
    RETURNING known.source, known.source_contact_id
),

turned AS (
    UPDATE core.card_id AS known
    SET is_verified = card_said.is_verified
    FROM card_said
    WHERE
        known.source = :source
        AND known.source_contact_id = card_said.source_contact_id
        AND known.id_source = card_said.id_source
        AND known.id = card_said.id
        AND known.is_verified <> card_said.is_verified
    RETURNING known.source, known.source_contact_id
),

-- Not ON CONFLICT, which asks the index for every row by itself: nobody else writes meanwhile.
named AS (
    INSERT INTO core.card_id AS known (
        source, source_contact_id, id_source, id, is_verified, load_id
    )
    SELECT
        CAST(:source AS text),
        card_said.source_contact_id,
        card_said.id_source,
        card_said.id,
        card_said.is_verified,
        card_said.load_id
    FROM card_said
    WHERE
        NOT EXISTS (
            SELECT 1
            FROM core.card_id AS same
            WHERE
                same.source = :source
                AND same.source_contact_id = card_said.source_contact_id
                AND same.id_source = card_said.id_source
                AND same.id = card_said.id
        )
    ORDER BY card_said.source_contact_id, card_said.id_source, card_said.id
    RETURNING known.source, known.source_contact_id
)

INSERT INTO touched_card (source, source_contact_id)
SELECT
    gone.source,
    gone.source_contact_id
FROM gone
UNION
SELECT
    turned.source,
    turned.source_contact_id
FROM turned
UNION
SELECT
    named.source,
    named.source_contact_id
FROM named
UNION
-- All that the source says may mean something else now.
SELECT
    CAST(:source AS text),
    card_said.source_contact_id
FROM card_said
WHERE CAST(:is_whole AS boolean);

CREATE UNIQUE INDEX touched_card_by_id ON touched_card (source, source_contact_id);

ANALYZE touched_card;

SELECT count(*) AS said FROM card_said;
