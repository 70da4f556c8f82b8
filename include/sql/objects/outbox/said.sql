-- What somebody has said on a message's page so far: their answers, their entry to a contest, that
-- texts shall stop, or until when. The entry is the first of the person (all contacts that were
-- merged into one are that one) or of the number, in any spelling. What holds for a person or a
-- number is looked for once by each: by both at once the planner, who does not know which, may read
-- whole tables.
-- Grain: one row. Reads: outbox.survey, outbox.contest_entry, core.suppression, core.contact,
-- core.phone_alias. Parameters: contest: its name, NULL where the page has none; phone_hash: of the
-- message, NULL where it is not known.
CREATE OR REPLACE FUNCTION outbox.said(
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
        coalesce(standing.is_opted_out, FALSE) AS is_opted_out,
        standing.paused_until
    FROM (
        SELECT
            bool_or(theirs.reason = 'opted_out') AS is_opted_out,
            max(theirs.until) FILTER (WHERE theirs.reason = 'paused') AS paused_until
        FROM (
            SELECT
                suppression.reason,
                suppression.until
            FROM core.suppression AS suppression
            WHERE
                suppression.contact_id = $1
                AND suppression.channel = $5
                AND suppression.lifted_at IS NULL
            UNION ALL
            SELECT
                suppression.reason,
                suppression.until
            FROM core.suppression AS suppression
            WHERE
                suppression.phone_hash = ANY(core.phone_hashes($3))
                AND suppression.channel = $5
                AND suppression.lifted_at IS NULL
        ) AS theirs
    ) AS standing
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
            FROM outbox.contest_entry AS entered
            WHERE
                entered.contest = $4
                AND entered.contact_id = ANY(
                    ARRAY(
                        SELECT core.person(kept.contact_id, kept.merged_into)
                        FROM core.contact AS kept
                        WHERE kept.contact_id = $1
                        UNION ALL
                        SELECT merged.contact_id
                        FROM core.contact AS kept
                        INNER JOIN core.contact AS merged
                            ON core.person(kept.contact_id, kept.merged_into) = merged.merged_into
                        WHERE kept.contact_id = $1
                    )
                )
            UNION ALL
            SELECT
                entered.contact_id,
                entered.ticket,
                entered.place,
                entered.entered_at
            FROM outbox.contest_entry AS entered
            WHERE entered.contest = $4 AND entered.phone_hash = ANY(core.phone_hashes($3))
        ) AS theirs
        WHERE $4 IS NOT NULL
        ORDER BY theirs.entered_at, theirs.contact_id
        LIMIT 1
    ) AS entry ON TRUE
$$;
