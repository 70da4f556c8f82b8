-- One text of a day for each step, variant, language and country, and the codes in it, which are the
-- contact's own.
-- Grain: step × variant × language × country. Reads: outbox.message (by message_by_day), outbox.link,
-- outbox.coupon, core.contact. Parameters: as_of. Writes nothing.
WITH picked AS (
    SELECT DISTINCT ON (message.step, message.variant, contact.language, contact.country)
        message.step,
        message.variant,
        contact.language,
        contact.country,
        message.body,
        message.message_id
    FROM outbox.message AS message
    INNER JOIN core.contact AS contact ON message.contact_id = contact.contact_id
    WHERE message.as_of = :as_of AND message.status <> 'cancelled' AND message.body IS NOT NULL
    ORDER BY
        message.step, message.variant, contact.language, contact.country, message.contact_id
)

SELECT
    picked.step,
    coalesce(picked.variant, '') AS variant,
    picked.language,
    picked.country,
    picked.body,
    array(
        SELECT link.code
        FROM outbox.link AS link
        WHERE link.message_id = picked.message_id
        UNION ALL
        SELECT coupon.code
        FROM outbox.coupon AS coupon
        WHERE coupon.message_id = picked.message_id
    ) AS codes
FROM picked
ORDER BY picked.step, picked.variant, picked.language, picked.country;
