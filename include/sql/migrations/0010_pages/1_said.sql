-- What somebody has said on a message's page so far: their answers, their entry to a contest, that
-- texts shall stop, or until when. One row. contest: its name, NULL where the page has none;
-- phone_hash: of the message, NULL where it is not known.
-- The entry is the first of the person (all contacts that were merged into one are that one) or of
-- the number, each found by its index.
CREATE FUNCTION outbox.said(
    contact_id bigint, message_id uuid, phone_hash text, contest text, channel text
) RETURNS TABLE (
    answers jsonb, ticket text, place bigint, is_opted_out boolean, paused_until date
) LANGUAGE sql STABLE AS $$
    SELECT
        (
            SELECT survey.answers
            FROM outbox.survey AS survey
            WHERE survey.contact_id = $1 AND survey.message_id = $2
        ) AS answers,
        entry.ticket,
        entry.place,
        EXISTS (
            SELECT 1
            FROM core.suppression AS suppression
            WHERE
                (suppression.contact_id = $1 OR suppression.phone_hash = $3)
                AND suppression.channel = $5
                AND suppression.reason = 'opted_out'
                AND suppression.lifted_at IS NULL
        ) AS is_opted_out,
        (
            SELECT max(suppression.until)
            FROM core.suppression AS suppression
            WHERE
                (suppression.contact_id = $1 OR suppression.phone_hash = $3)
                AND suppression.channel = $5
                AND suppression.reason = 'paused'
                AND suppression.lifted_at IS NULL
        ) AS paused_until
    FROM (SELECT) AS always
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
                SELECT $1 AS contact_id
                UNION
                SELECT kept.merged_into
                FROM core.contact AS kept
                WHERE kept.contact_id = $1 AND kept.merged_into IS NOT NULL
                UNION
                SELECT merged.contact_id
                FROM core.contact AS kept
                INNER JOIN core.contact AS merged
                    ON coalesce(kept.merged_into, kept.contact_id) = merged.merged_into
                WHERE kept.contact_id = $1
            ) AS alike
            INNER JOIN outbox.contest_entry AS entered ON alike.contact_id = entered.contact_id
            WHERE entered.contest = $4
            UNION ALL
            SELECT
                entered.contact_id,
                entered.ticket,
                entered.place,
                entered.entered_at
            FROM outbox.contest_entry AS entered
            WHERE entered.contest = $4 AND entered.phone_hash = $3
        ) AS theirs
        ORDER BY theirs.entered_at, theirs.contact_id
        LIMIT 1
    ) AS entry ON $4 IS NOT NULL
$$;
