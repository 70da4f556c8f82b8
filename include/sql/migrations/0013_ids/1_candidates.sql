-- Ids that may be written in another way: by Python's rule they are judged.
SELECT DISTINCT known.id
FROM (
    SELECT id.id
    FROM raw.contact AS row
    CROSS JOIN
        LATERAL (
            VALUES (row.source_contact_id), (row.loyalty_card_id), (row.shop_account_id)
        ) AS id (id)
    UNION ALL
    SELECT id.id
    FROM raw.interaction AS row
    CROSS JOIN
        LATERAL (
            VALUES (row.source_contact_id), (row.record_key), (row.product_id)
        ) AS id (id)
    UNION ALL
    SELECT row.source_contact_id
    FROM raw.consent AS row
    UNION ALL
    SELECT row.record_key
    FROM raw.product AS row
    UNION ALL
    SELECT identity.source_contact_id
    FROM core.contact_identity AS identity
) AS known
WHERE
    octet_length(known.id) <> char_length(known.id)
    OR known.id ~ '^[0-9]+\.0+$'
    OR known.id ~ '^[0-9](\.[0-9]+)?[eE]\+?[0-9]{1,3}$'
    OR (known.id LIKE '%@%' AND known.id <> lower(known.id));
