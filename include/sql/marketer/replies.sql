-- purpose: the replies that a person must read (nothing is sent to their numbers), or those that count
--          as a stop because nobody has; with whose they are, and our last text before them
-- grain: number, that of the oldest reply first; reads: outbox.reply, core.contact, core.phone_alias,
--        outbox.message; writes: nothing
-- parameters: is_counted: those that count as a stop; row_limit
-- twice: it only reads
WITH waiting AS (
    SELECT
        core.one_number(reply.phone_hash) AS phone_hash,
        min(reply.reply_id) AS first_id,
        max(reply.reply_id) AS reply_id,
        min(reply.received_at) AS first_at,
        max(reply.received_at) AS last_at,
        array_agg(reply.text ORDER BY reply.reply_id) AS texts,
        array_agg(reply.received_at ORDER BY reply.reply_id) AS times
    FROM outbox.reply AS reply
    WHERE
        reply.reviewed_at IS NULL
        AND (
            (cast(:is_counted AS boolean) AND reply.counted_at IS NOT NULL)
            OR (NOT cast(:is_counted AS boolean) AND reply.meaning = 'unclear')
        )
    GROUP BY core.one_number(reply.phone_hash)
),

shown AS (
    SELECT
        waiting.*,
        count(*) OVER () AS waiting
    FROM waiting
    ORDER BY waiting.first_id
    LIMIT cast(:row_limit AS bigint)
)

SELECT
    shown.reply_id,
    shown.first_at,
    shown.texts,
    shown.times,
    shown.waiting,
    array(
        SELECT contact.contact_id
        FROM core.contact AS contact
        WHERE
            contact.phone_hash = any(core.phone_hashes(shown.phone_hash))
            AND contact.merged_into IS NULL
        ORDER BY contact.contact_id
        LIMIT 3
    ) AS contact_ids,
    last_text.step,
    last_text.accepted_at
FROM shown
LEFT JOIN
    LATERAL (
        SELECT
            message.step,
            message.accepted_at
        FROM outbox.message AS message
        WHERE
            message.phone_hash = any(core.phone_hashes(shown.phone_hash))
            AND message.accepted_at <= shown.last_at
        ORDER BY message.accepted_at DESC
        LIMIT 1
    ) AS last_text
    ON TRUE
ORDER BY shown.first_id;
