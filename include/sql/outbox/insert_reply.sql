-- Keep a reply, under the hash of its number that a contact or a message is known by, or that was heard
-- of before: a START finds the STOP; else the first.
-- One that is clearly a stop or a start needs no review: its reviewed_at is given at once.
-- Grain: reply; one row where it is new, or says more than before. Reads: core.contact,
-- core.suppression, outbox.message. Writes: outbox.reply. Parameters: provider, provider_reply_id, phone_hashes (of the
-- number in every spelling), text, meaning, received_at, reviewed_at.
-- Twice: a reply that is there is left alone, but for one that was to be read: the provider may tell
-- it again, with what it took it for itself. An id under which another number has written names
-- another reply: whose stop it is must not depend on it.
INSERT INTO outbox.reply AS reply (
    provider, provider_reply_id, phone_hash, text, meaning, received_at, reviewed_at
)
SELECT
    CAST(:provider AS text),
    CASE
        WHEN
            EXISTS (
                SELECT 1
                FROM outbox.reply AS other
                WHERE
                    other.provider = CAST(:provider AS text)
                    AND other.provider_reply_id = CAST(:provider_reply_id AS text)
                    AND other.phone_hash <> ALL(CAST(:phone_hashes AS text[]))
            )
            THEN CAST(:provider_reply_id AS text) || ' ' || left((CAST(:phone_hashes AS text[]))[1], 16)
        ELSE CAST(:provider_reply_id AS text)
    END,
    coalesce(
        (
            SELECT known.phone_hash
            FROM unnest(CAST(:phone_hashes AS text[])) WITH ORDINALITY AS known (phone_hash, place)
            WHERE
                EXISTS (
                    SELECT 1
                    FROM core.contact AS contact
                    WHERE contact.phone_hash = known.phone_hash
                )
                OR EXISTS (
                    SELECT 1
                    FROM outbox.message AS message
                    WHERE message.phone_hash = known.phone_hash
                )
                OR EXISTS (
                    SELECT 1
                    FROM core.suppression AS suppression
                    WHERE
                        suppression.phone_hash = known.phone_hash
                        AND suppression.lifted_at IS NULL
                )
                OR EXISTS (
                    SELECT 1
                    FROM outbox.reply AS earlier
                    WHERE earlier.phone_hash = known.phone_hash
                )
            ORDER BY known.place
            LIMIT 1
        ),
        (CAST(:phone_hashes AS text[]))[1]
    ),
    CAST(:text AS text),
    CAST(:meaning AS outbox.reply_meaning),
    CAST(:received_at AS timestamptz),
    CAST(:reviewed_at AS timestamptz)
ON CONFLICT (provider, provider_reply_id) DO UPDATE
    SET meaning = excluded.meaning, reviewed_at = excluded.reviewed_at, counted_at = NULL
    WHERE
    (
        excluded.meaning = 'stop'
        AND (reply.meaning = 'unclear' OR reply.counted_at IS NOT NULL)
    )
    OR (
        excluded.meaning = 'start'
        AND reply.meaning = 'unclear'
        AND reply.reviewed_at IS NULL
    );
