-- What somebody has said on a message's page so far: their answers, their entry to a contest, and
-- until when they asked for a break.
-- Grain: one row. Reads: outbox.survey, outbox.contest_entry, core.contact, core.suppression.
-- Writes nothing. Parameters: contact_id, message_id; phone_hash: of the message, NULL where it is
-- not known; contest: its name, NULL where the page has none; channel.
-- The entry is that of the person (one merged into another is that one) or of the number.
SELECT
    survey.answers,
    entry.ticket,
    entry.place,
    (
        SELECT max(suppression.until)
        FROM core.suppression AS suppression
        WHERE
            (
                suppression.contact_id = person.contact_id
                OR suppression.phone_hash = CAST(:phone_hash AS text)
            )
            AND suppression.channel = :channel
            AND suppression.reason = 'paused'
            AND suppression.lifted_at IS NULL
    ) AS paused_until
FROM (
    SELECT
        CAST(:contact_id AS bigint) AS contact_id,
        CAST(:message_id AS uuid) AS message_id
) AS person
LEFT JOIN outbox.survey AS survey
    ON person.contact_id = survey.contact_id AND person.message_id = survey.message_id
LEFT JOIN LATERAL (
    SELECT
        contest_entry.ticket,
        contest_entry.place
    FROM outbox.contest_entry AS contest_entry
    WHERE
        contest_entry.contest = CAST(:contest AS text)
        AND (
            contest_entry.contact_id IN (
                SELECT coalesce(contact.merged_into, contact.contact_id)
                FROM core.contact AS contact
                WHERE contact.contact_id = person.contact_id
            )
            OR contest_entry.contact_id = person.contact_id
            OR contest_entry.phone_hash = CAST(:phone_hash AS text)
        )
    ORDER BY contest_entry.entered_at, contest_entry.contact_id
    LIMIT 1
) AS entry ON TRUE
