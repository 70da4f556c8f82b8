-- What somebody has said on a message's page so far: their answers, their entry to a contest, and
-- until when they asked for a break.
-- Grain: one row. Reads: outbox.survey, outbox.contest_entry, core.contact, core.suppression.
-- Writes nothing. Parameters: contact_id, message_id; phone_hash: of the message, NULL where it is
-- not known; contest: its name, NULL where the page has none; channel.
-- The entry is the first of the person (all contacts that were merged into one are that one) or of
-- the number, each found by its index.
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
        theirs.ticket,
        theirs.place
    FROM (
        SELECT
            entered.contact_id,
            entered.ticket,
            entered.place,
            entered.entered_at
        FROM (
            SELECT person.contact_id
            UNION
            SELECT kept.merged_into
            FROM core.contact AS kept
            WHERE kept.contact_id = person.contact_id AND kept.merged_into IS NOT NULL
            UNION
            SELECT merged.contact_id
            FROM core.contact AS kept
            INNER JOIN core.contact AS merged
                ON coalesce(kept.merged_into, kept.contact_id) = merged.merged_into
            WHERE kept.contact_id = person.contact_id
        ) AS alike
        INNER JOIN outbox.contest_entry AS entered ON alike.contact_id = entered.contact_id
        WHERE entered.contest = CAST(:contest AS text)
        UNION ALL
        SELECT
            entered.contact_id,
            entered.ticket,
            entered.place,
            entered.entered_at
        FROM outbox.contest_entry AS entered
        WHERE
            entered.contest = CAST(:contest AS text)
            AND entered.phone_hash = CAST(:phone_hash AS text)
    ) AS theirs
    ORDER BY theirs.entered_at, theirs.contact_id
    LIMIT 1
) AS entry ON TRUE
