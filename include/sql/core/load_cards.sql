-- Remember what the load's cards say of who they are: every id they name, for good; of phone and
-- email the last one. An id that many cards of one source hold is a placeholder.
-- Grain: card × id. Reads: raw.contact. Writes: core.card_id, the temporary table touched_card: cards
-- that say something new, or whose id has become a placeholder; all of them, where is_whole. Parameters: load_id, source,
-- is_whole (all that the source has ever said is read, not the load alone), loyalty_source,
-- shop_source, is_phone_verified, is_email_verified, most_cards. Twice: nothing is new.
DROP TABLE IF EXISTS touched_card;

CREATE TEMPORARY TABLE touched_card (
    source text,
    source_contact_id text,
    PRIMARY KEY (source, source_contact_id)
) ON COMMIT DROP;

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
)

INSERT INTO touched_card (source, source_contact_id)
SELECT DISTINCT
    gone.source,
    gone.source_contact_id
FROM gone;

WITH named AS (
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
    ORDER BY card_said.source_contact_id, card_said.id_source, card_said.id
    ON CONFLICT (source, source_contact_id, id_source, id) DO UPDATE
        SET is_verified = excluded.is_verified
        WHERE known.is_verified <> excluded.is_verified
    RETURNING known.source, known.source_contact_id
)

INSERT INTO touched_card (source, source_contact_id)
SELECT DISTINCT
    named.source,
    named.source_contact_id
FROM named
ON CONFLICT (source, source_contact_id) DO NOTHING;

-- All that the source says may mean something else now.
INSERT INTO touched_card (source, source_contact_id)
SELECT DISTINCT
    CAST(:source AS text),
    card_said.source_contact_id
FROM card_said
WHERE CAST(:is_whole AS boolean)
ON CONFLICT (source, source_contact_id) DO NOTHING;

-- Which ids are placeholders now, and who named them before they were.
WITH named AS (
    SELECT DISTINCT
        card_said.id_source,
        card_said.id
    FROM touched_card
    INNER JOIN card_said ON touched_card.source_contact_id = card_said.source_contact_id
    WHERE card_said.id_source NOT IN (:source, '@phone')
),

counted AS (
    SELECT
        holder.source,
        holder.source_contact_id,
        holder.id_source,
        holder.id,
        holder.load_id,
        count(*) OVER (
            PARTITION BY holder.id_source, holder.id, holder.source ORDER BY holder.load_id
        ) AS cards
    FROM named
    INNER JOIN core.card_id AS holder
        ON named.id_source = holder.id_source AND named.id = holder.id
),

weighed AS (
    SELECT
        counted.source,
        counted.source_contact_id,
        counted.id_source,
        counted.id,
        CASE
            WHEN
                max(counted.cards) OVER (PARTITION BY counted.id_source, counted.id)
                <= CAST(:most_cards AS integer)
                THEN 'whole'
            WHEN
                max(counted.cards) OVER (
                    PARTITION BY counted.id_source, counted.id ORDER BY counted.load_id
                ) <= CAST(:most_cards AS integer)
                THEN 'stops'
            ELSE 'nothing'
        END AS hold
    FROM counted
    -- A source's own cards are no holders of their own ids.
    WHERE counted.source <> counted.id_source OR counted.source_contact_id <> counted.id
),

changed AS (
    UPDATE core.card_id AS known
    SET hold = CAST(weighed.hold AS core.hold)
    FROM weighed
    WHERE
        known.source = weighed.source
        AND known.source_contact_id = weighed.source_contact_id
        AND known.id_source = weighed.id_source
        AND known.id = weighed.id
        AND known.hold <> CAST(weighed.hold AS core.hold)
    RETURNING known.source, known.source_contact_id
)

INSERT INTO touched_card (source, source_contact_id)
SELECT DISTINCT
    changed.source,
    changed.source_contact_id
FROM changed
ON CONFLICT (source, source_contact_id) DO NOTHING;

ANALYZE touched_card;
