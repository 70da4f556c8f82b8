-- What hashes a rule may still ask for. as_of: of a text; NULL of what has no end.
-- Grain: hash and what rests on it (several times). Reads: core.suppression, core.contact,
-- outbox.reply, outbox.message, outbox.contest_entry, outbox.contest.
CREATE OR REPLACE VIEW core.resting_hash AS
SELECT
    'stops' AS what,
    suppression.phone_hash,
    CAST(NULL AS date) AS as_of
FROM core.suppression AS suppression
WHERE suppression.lifted_at IS NULL AND suppression.phone_hash IS NOT NULL
UNION ALL
SELECT
    'replies' AS what,
    reply.phone_hash,
    NULL AS as_of
FROM outbox.reply AS reply
WHERE
    reply.reviewed_at IS NULL
    OR (
        reply.meaning = 'stop'
        AND NOT EXISTS (
            SELECT 1
            FROM core.suppression AS suppression
            WHERE
                suppression.contact_id = 0
                AND suppression.phone_hash = reply.phone_hash
                AND suppression.reason = 'opted_out'
        )
    )
UNION ALL
SELECT
    'texts' AS what,
    message.phone_hash,
    CASE
        WHEN message.status NOT IN ('draft', 'queued', 'sending', 'unknown') THEN message.as_of
    END AS as_of
FROM outbox.message AS message
WHERE outbox.may_go_out(message.status)
UNION ALL
SELECT
    'contest entries' AS what,
    entry.phone_hash,
    NULL AS as_of
FROM outbox.contest_entry AS entry
INNER JOIN outbox.contest AS contest ON entry.contest = contest.contest
WHERE contest.drawn_at IS NULL AND entry.phone_hash IS NOT NULL
UNION ALL
SELECT
    'contacts' AS what,
    contact.phone_hash,
    NULL AS as_of
FROM core.contact AS contact
WHERE contact.phone_e164 IS NOT NULL AND contact.phone_hash IS NOT NULL;
