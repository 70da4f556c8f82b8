-- What the cards of each say of them now.
CREATE TEMPORARY TABLE corrected ON COMMIT DROP AS
SELECT wrong.contact_id
FROM wrong
UNION
SELECT placed.contact_id
FROM placed
UNION
SELECT restraint.contact_id
FROM placed
INNER JOIN core.restraint AS restraint ON placed.contact_id = restraint.by_contact_id;

ANALYZE corrected;

WITH current_card AS (
    SELECT
        identity.contact_id,
        card.*,
        row_number() OVER (
            PARTITION BY identity.contact_id
            ORDER BY card.load_id DESC, card.file_id DESC, card.line DESC
        ) AS age
    FROM corrected AS touched
    INNER JOIN core.contact_identity AS identity ON touched.contact_id = identity.contact_id
    INNER JOIN raw.contact AS card
        ON identity.source = card.source AND identity.source_contact_id = card.record_key
    INNER JOIN raw.load AS load ON card.load_id = load.load_id
    WHERE
        card.status = 'loaded'
        AND load.status = 'loaded'
),

best AS (
    SELECT
        touched.contact_id,
        min(card.created_on) AS created_on,
        (array_agg(card.phone ORDER BY card.age) FILTER (WHERE card.phone IS NOT NULL))[1] AS phone,
        (array_agg(card.phone_hash ORDER BY card.age) FILTER (WHERE card.phone_hash IS NOT NULL))[1] AS phone_hash,
        (array_agg(card.email ORDER BY card.age) FILTER (WHERE card.email IS NOT NULL))[1] AS email,
        (array_agg(card.first_name ORDER BY card.age) FILTER (WHERE card.first_name IS NOT NULL))[1] AS first_name,
        (array_agg(card.last_name ORDER BY card.age) FILTER (WHERE card.last_name IS NOT NULL))[1] AS last_name,
        (array_agg(card.language ORDER BY card.age) FILTER (WHERE card.language IS NOT NULL))[1] AS language,
        (array_agg(card.country ORDER BY card.age) FILTER (WHERE card.country IS NOT NULL))[1] AS country,
        (array_agg(card.time_zone ORDER BY card.age) FILTER (WHERE card.time_zone IS NOT NULL))[1] AS time_zone,
        (array_agg(card.lifecycle_class ORDER BY card.age) FILTER (WHERE card.lifecycle_class IS NOT NULL))[1] AS lifecycle_class
    FROM corrected AS touched
    LEFT JOIN current_card AS card ON touched.contact_id = card.contact_id
    GROUP BY touched.contact_id
)

UPDATE core.contact AS contact
SET
    phone_e164 = best.phone,
    phone_hash = best.phone_hash,
    email = best.email,
    first_name = best.first_name,
    last_name = best.last_name,
    language = best.language,
    country = best.country,
    time_zone = best.time_zone,
    lifecycle_class = best.lifecycle_class,
    created_on = best.created_on,
    updated_load_id = (SELECT mark.load_id FROM mark)
FROM best
WHERE contact.contact_id = best.contact_id AND contact.status <> 'erased';
