-- purpose: note what a person has read in a reply, and in those that came from its number before and
--          were not read: a stop, a start, or neither (unclear)
-- grain: number; returns it (hashed) and when the last came, or no row; reads: core.phone_alias; writes: outbox.reply
-- parameters: reply_id; meaning; at: when it was read
-- twice: what was read keeps what was said of it first
WITH read AS (
    UPDATE outbox.reply
    SET
        reviewed_at = cast(:at AS timestamptz),
        meaning = cast(:meaning AS outbox.reply_meaning),
        counted_at = NULL
    WHERE
        reply_id <= cast(:reply_id AS bigint)
        AND phone_hash = any(
            core.phone_hashes(
                (
                    SELECT named.phone_hash
                    FROM outbox.reply AS named
                    WHERE named.reply_id = cast(:reply_id AS bigint)
                )
            )
        )
        AND reviewed_at IS NULL
        AND (meaning = 'unclear' OR counted_at IS NOT NULL)
    RETURNING phone_hash, received_at
)

SELECT
    core.one_number(read.phone_hash) AS phone_hash,
    max(read.received_at) AS received_at
FROM read
GROUP BY core.one_number(read.phone_hash);
