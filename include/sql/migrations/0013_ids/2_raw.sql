-- Rows that were told apart by the spelling of their key alone: the latest is the one that counts,
-- as a later version is.
CREATE TEMPORARY TABLE lost_row ON COMMIT DROP AS
WITH row_key AS (
    SELECT
        'contact' AS entity,
        row.ctid AS place,
        row.source,
        row.record_key,
        row.record_key AS key_of_id,
        '' AS before,
        '' AS after,
        row.load_id,
        row.file_id,
        row.line,
        row.source AS contact_source,
        row.source_contact_id
    FROM raw.contact AS row
    WHERE row.status <> 'superseded'
    UNION ALL
    SELECT
        'interaction',
        row.ctid,
        row.source,
        row.record_key,
        row.record_key,
        '',
        '',
        row.load_id,
        row.file_id,
        row.line,
        row.contact_source,
        row.source_contact_id
    FROM raw.interaction AS row
    WHERE row.status <> 'superseded'
    UNION ALL
    SELECT
        'consent',
        row.ctid,
        row.source,
        row.record_key,
        row.source_contact_id,
        lower(row.contact_source),
        substr(row.record_key, length(row.contact_source) + length(row.source_contact_id) + 2),
        row.load_id,
        row.file_id,
        row.line,
        row.contact_source,
        row.source_contact_id
    FROM raw.consent AS row
    WHERE row.status <> 'superseded'
    UNION ALL
    SELECT
        'product',
        row.ctid,
        row.source,
        row.record_key,
        row.record_key,
        '',
        '',
        row.load_id,
        row.file_id,
        row.line,
        '',
        ''
    FROM raw.product AS row
    WHERE row.status <> 'superseded'
),

spelt AS (
    SELECT
        row_key.*,
        first_value(row_key.load_id) OVER latest AS winner_load_id,
        row_number() OVER latest AS age
    FROM (
        SELECT
            row_key.*,
            coalesce(respelt.new, row_key.key_of_id) AS id
        FROM row_key
        LEFT JOIN respelt ON row_key.key_of_id = respelt.old
        LEFT JOIN spelling ON row_key.key_of_id = spelling.id
        WHERE
            respelt.old IS NOT NULL
            OR spelling.id IS NOT NULL
            OR (
                row_key.entity = 'consent'
                AND EXISTS (
                    SELECT 1 FROM raw.consent AS said WHERE said.contact_source <> lower(said.contact_source)
                )
            )
    ) AS row_key
    WINDOW
        latest AS (
            PARTITION BY row_key.entity, row_key.source, row_key.before, row_key.id, row_key.after
            ORDER BY row_key.load_id DESC, row_key.file_id DESC, row_key.line DESC
        )
)

SELECT
    spelt.entity,
    spelt.place,
    spelt.source,
    spelt.record_key,
    spelt.winner_load_id,
    identity.contact_id
FROM spelt
LEFT JOIN core.contact_identity AS identity
    ON
        spelt.contact_source = identity.source
        AND spelt.source_contact_id = identity.source_contact_id
WHERE spelt.age > 1;

ANALYZE lost_row;

-- A consent's key holds an id. A record that another spelling has too keeps its key in core: as a
-- correction of the other it could hide a withdrawal.
CREATE TEMPORARY TABLE respelt_consent ON COMMIT DROP AS
SELECT
    said.source,
    said.old,
    said.new
FROM (
    SELECT
        row.source,
        row.record_key AS old,
        lower(row.contact_source) || '/' || coalesce(respelt.new, row.source_contact_id)
        || substr(row.record_key, length(row.contact_source) + length(row.source_contact_id) + 2)
            AS new
    FROM raw.consent AS row
    LEFT JOIN respelt ON row.source_contact_id = respelt.old
    WHERE
        row.status <> 'superseded'
        AND (respelt.old IS NOT NULL OR row.contact_source <> lower(row.contact_source))
) AS said
LEFT JOIN (
    SELECT DISTINCT
        consent.source,
        consent.record_key
    FROM core.consent AS consent
) AS taken ON said.source = taken.source AND said.new = taken.record_key
WHERE taken.source IS NULL;

DELETE FROM respelt_consent
USING respelt_consent AS other
WHERE
    respelt_consent.source = other.source
    AND respelt_consent.new = other.new
    AND respelt_consent.old <> other.old;

ANALYZE respelt_consent;

-- The ids, by their spelling of now and of then, that meet, and the cards of whoever has them.
CREATE TEMPORARY TABLE spelt_identity ON COMMIT DROP AS
SELECT
    identity.source,
    identity.source_contact_id,
    lower(identity.source) AS new_source,
    coalesce(respelt.new, identity.source_contact_id) AS new_id
FROM core.contact_identity AS identity
LEFT JOIN respelt ON identity.source_contact_id = respelt.old
LEFT JOIN spelling ON identity.source_contact_id = spelling.id
LEFT JOIN (
    SELECT DISTINCT capitals.source_contact_id AS id
    FROM core.contact_identity AS capitals
    WHERE capitals.source <> lower(capitals.source)
) AS named ON coalesce(respelt.new, identity.source_contact_id) = named.id
WHERE respelt.old IS NOT NULL OR spelling.id IS NOT NULL OR named.id IS NOT NULL;

ANALYZE spelt_identity;

CREATE TEMPORARY TABLE met_card ON COMMIT DROP AS
SELECT
    identity.source,
    identity.source_contact_id,
    coalesce(respelt.new, identity.source_contact_id) AS new_id
FROM (
    SELECT DISTINCT theirs.contact_id
    FROM (
        SELECT
            spelt_identity.source,
            spelt_identity.source_contact_id,
            count(*) OVER (
                PARTITION BY spelt_identity.new_source, spelt_identity.new_id
            ) AS spellings
        FROM spelt_identity
    ) AS met
    INNER JOIN core.contact_identity AS theirs
        ON met.source = theirs.source AND met.source_contact_id = theirs.source_contact_id
    WHERE met.spellings > 1
) AS holder
INNER JOIN core.contact_identity AS identity ON holder.contact_id = identity.contact_id
INNER JOIN raw.contact AS card
    ON
        identity.source = card.source
        AND identity.source_contact_id = card.record_key
        AND card.status <> 'superseded'
LEFT JOIN respelt ON identity.source_contact_id = respelt.old;

ANALYZE met_card;

UPDATE raw.contact AS row
SET status = 'superseded', superseded_by = lost_row.winner_load_id
FROM lost_row
WHERE lost_row.entity = 'contact' AND row.ctid = lost_row.place;

UPDATE raw.interaction AS row
SET status = 'superseded', superseded_by = lost_row.winner_load_id
FROM lost_row
WHERE lost_row.entity = 'interaction' AND row.ctid = lost_row.place;

UPDATE raw.consent AS row
SET status = 'superseded', superseded_by = lost_row.winner_load_id
FROM lost_row
WHERE lost_row.entity = 'consent' AND row.ctid = lost_row.place;

UPDATE raw.product AS row
SET status = 'superseded', superseded_by = lost_row.winner_load_id
FROM lost_row
WHERE lost_row.entity = 'product' AND row.ctid = lost_row.place;

UPDATE raw.contact AS row
SET
    source_contact_id = anew.source_contact_id,
    record_key = anew.source_contact_id,
    loyalty_card_id = anew.loyalty_card_id,
    shop_account_id = anew.shop_account_id
FROM (
    SELECT
        card.ctid AS place,
        coalesce(own.new, card.source_contact_id) AS source_contact_id,
        -- None but zeros: what people type where there is no such id.
        CASE WHEN loyalty.new ~ '^[0-]*$' THEN NULL ELSE coalesce(loyalty.new, card.loyalty_card_id) END
            AS loyalty_card_id,
        CASE WHEN shop.new ~ '^[0-]*$' THEN NULL ELSE coalesce(shop.new, card.shop_account_id) END
            AS shop_account_id
    FROM raw.contact AS card
    LEFT JOIN respelt AS own ON card.source_contact_id = own.old
    LEFT JOIN respelt AS loyalty ON card.loyalty_card_id = loyalty.old
    LEFT JOIN respelt AS shop ON card.shop_account_id = shop.old
    WHERE own.old IS NOT NULL OR loyalty.old IS NOT NULL OR shop.old IS NOT NULL
) AS anew
WHERE row.ctid = anew.place;

UPDATE raw.interaction AS row
SET
    contact_source = lower(row.contact_source),
    source_contact_id = anew.source_contact_id,
    record_key = anew.record_key,
    product_id = anew.product_id
FROM (
    SELECT
        done.ctid AS place,
        coalesce(who.new, done.source_contact_id) AS source_contact_id,
        coalesce(event.new, done.record_key) AS record_key,
        coalesce(product.new, done.product_id) AS product_id
    FROM raw.interaction AS done
    LEFT JOIN respelt AS who ON done.source_contact_id = who.old
    LEFT JOIN respelt AS event ON done.record_key = event.old
    LEFT JOIN respelt AS product ON done.product_id = product.old
    WHERE
        who.old IS NOT NULL
        OR event.old IS NOT NULL
        OR product.old IS NOT NULL
        OR done.contact_source <> lower(done.contact_source)
) AS anew
WHERE row.ctid = anew.place;

UPDATE raw.consent AS row
SET
    contact_source = lower(row.contact_source),
    source_contact_id = anew.source_contact_id,
    record_key = lower(row.contact_source) || '/' || anew.source_contact_id
    || substr(row.record_key, length(row.contact_source) + length(row.source_contact_id) + 2)
FROM (
    SELECT
        said.ctid AS place,
        coalesce(who.new, said.source_contact_id) AS source_contact_id
    FROM raw.consent AS said
    LEFT JOIN respelt AS who ON said.source_contact_id = who.old
    WHERE who.old IS NOT NULL OR said.contact_source <> lower(said.contact_source)
) AS anew
WHERE row.ctid = anew.place;

UPDATE raw.product AS row
SET source_product_id = respelt.new, record_key = respelt.new
FROM respelt
WHERE row.record_key = respelt.old;
