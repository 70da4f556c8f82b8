-- What became of a day's texts: one in twenty does not arrive; of the others one in ten is opened,
-- and one in ten is fetched by a machine.
-- Grain: message. Reads: outbox.link. Writes: outbox.message, outbox.hit. Parameters: as_of, at.
-- Twice: a text that was handed over is not a draft any more.
WITH handed AS (
    UPDATE outbox.message AS message
    SET
        status = CAST(
            CASE
                WHEN (hashint8extended(message.contact_id, 21) & 1073741823) % 20 = 0
                    THEN 'undelivered'
                ELSE 'delivered'
            END AS outbox.message_status
        ),
        provider = 'bench',
        accepted_at = :at,
        delivered_at = :at,
        status_at = :at,
        price = 0.008,
        currency = 'USD'
    WHERE message.as_of = :as_of AND message.status IN ('draft', 'queued')
    RETURNING message.contact_id, message.message_id, message.status
)

INSERT INTO outbox.hit (code, contact_id, message_id, at, kind, method, user_agent, purpose)
SELECT
    link.code,
    handed.contact_id,
    handed.message_id,
    CAST(:at AS timestamptz) + interval '1 hour',
    CAST(CASE WHEN drawn.draw = 0 THEN 'press' ELSE 'view' END AS outbox.hit_kind),
    CASE WHEN drawn.draw = 0 THEN 'POST' ELSE 'GET' END,
    CASE WHEN drawn.draw = 0 THEN 'Mozilla/5.0' ELSE 'linkscan-bot' END,
    ''
FROM handed
INNER JOIN outbox.link AS link ON handed.message_id = link.message_id
CROSS JOIN
    LATERAL (
        SELECT (hashint8extended(handed.contact_id, 22) & 1073741823) % 10 AS draw
    ) AS drawn
WHERE handed.status = 'delivered' AND drawn.draw < 2;
