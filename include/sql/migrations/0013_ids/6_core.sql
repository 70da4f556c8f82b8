DELETE FROM core.contact_identity AS identity
USING (
    SELECT
        met.source,
        met.source_contact_id,
        row_number() OVER (
            PARTITION BY met.new_source, met.new_id
            ORDER BY theirs.contact_id, met.source_contact_id
        ) AS place
    FROM spelt_identity AS met
    INNER JOIN core.contact_identity AS theirs
        ON met.source = theirs.source AND met.source_contact_id = theirs.source_contact_id
) AS twice
WHERE
    twice.place > 1
    AND identity.source = twice.source
    AND identity.source_contact_id = twice.source_contact_id;

UPDATE core.contact_identity AS identity
SET source = spelt_identity.new_source, source_contact_id = spelt_identity.new_id
FROM spelt_identity
WHERE
    identity.source = spelt_identity.source
    AND identity.source_contact_id = spelt_identity.source_contact_id
    AND (spelt_identity.source, spelt_identity.source_contact_id)
    <> (spelt_identity.new_source, spelt_identity.new_id);

-- The arm that an episode was drawn into stands on it, and stays.
UPDATE core.contact AS contact
SET first_source = spelt_identity.new_source, first_source_contact_id = spelt_identity.new_id
FROM spelt_identity
WHERE
    contact.first_source = spelt_identity.source
    AND contact.first_source_contact_id = spelt_identity.source_contact_id
    AND (spelt_identity.source, spelt_identity.source_contact_id)
    <> (spelt_identity.new_source, spelt_identity.new_id);

UPDATE core.consent AS consent
SET record_key = respelt_consent.new
FROM respelt_consent
WHERE
    consent.source = respelt_consent.source
    AND consent.record_key = respelt_consent.old;

UPDATE core.interaction AS interaction
SET source_event_id = anew.source_event_id, product_id = anew.product_id
FROM (
    SELECT
        done.contact_id,
        done.source,
        done.source_event_id AS old,
        CASE
            -- What the rows in raw do not account for keeps its spelling.
            WHEN
                row_number() OVER (
                    PARTITION BY done.contact_id, done.source, coalesce(event.new, done.source_event_id)
                    ORDER BY done.load_id DESC, done.source_event_id ASC
                ) = 1
                AND known.contact_id IS NULL
                THEN coalesce(event.new, done.source_event_id)
            ELSE done.source_event_id
        END AS source_event_id,
        coalesce(product.new, done.product_id) AS product_id
    FROM core.interaction AS done
    LEFT JOIN respelt AS event ON done.source_event_id = event.old
    LEFT JOIN respelt AS product ON done.product_id = product.old
    LEFT JOIN core.interaction AS known
        ON
            event.new IS NOT NULL
            AND done.contact_id = known.contact_id
            AND done.source = known.source
            AND event.new = known.source_event_id
    WHERE event.old IS NOT NULL OR product.old IS NOT NULL
) AS anew
WHERE
    interaction.contact_id = anew.contact_id
    AND interaction.source = anew.source
    AND interaction.source_event_id = anew.old;

UPDATE core.product AS product
SET source_product_id = respelt.new
FROM respelt
WHERE
    product.source_product_id = respelt.old
    AND NOT EXISTS (
        SELECT 1
        FROM core.product AS known
        WHERE known.source_product_id = respelt.new AND known.source = product.source
    );

UPDATE outbox.coupon AS coupon
SET order_ref = split_part(coupon.order_ref, ':', 1) || ':' || respelt.new
FROM respelt
WHERE
    coupon.order_ref IS NOT NULL
    AND substr(coupon.order_ref, strpos(coupon.order_ref, ':') + 1) = respelt.old;
