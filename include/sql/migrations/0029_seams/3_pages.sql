-- One of the hashes that a number is known by: the same, however it is written.
CREATE FUNCTION core.one_number(phone_hash text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT
        least(
            $1,
            (SELECT min(alias.alias_hash) FROM core.phone_alias AS alias WHERE alias.phone_hash = $1)
        )
$$;

-- What somebody has said on a message's page so far: their answers, their entry to a contest, that
-- texts shall stop, or until when. One row. contest: its name, NULL where the page has none;
-- phone_hash: of the message, NULL where it is not known.
-- The entry is the first of the person (all contacts that were merged into one are that one) or of
-- the number, in any spelling. What holds for a person or a number is looked for once by each: by both at once the
-- planner, who does not know which, may read whole tables.
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
                        SELECT coalesce(kept.merged_into, kept.contact_id)
                        FROM core.contact AS kept
                        WHERE kept.contact_id = $1
                        UNION ALL
                        SELECT merged.contact_id
                        FROM core.contact AS kept
                        INNER JOIN core.contact AS merged
                            ON coalesce(kept.merged_into, kept.contact_id) = merged.merged_into
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

-- What the minimum is in. NULL: from before this was noted; the order's own is taken for it.
ALTER TABLE outbox.coupon ADD COLUMN currency text;

-- Every use of a coupon, the first of which redeems it (is_counted); several show a code that is
-- passed on. Rows of one contact and source with one code and one moment are the lines of one order:
-- one use, of their sum; an order that names several codes uses each. The shop took the order, so it counts, whatever it is noted to be: late and
-- early are outside of when the coupon was good, small is below its minimum, in the currency
-- of that (an order in another is not compared). An order from before the coupon was made does not redeem it. Where its code is one
-- of a pool, it was leaked, or used elsewhere: the use is listed, with nobody it was given to.
--   code         as it was given out or uploaded; message_id and role are null where given_to is
--   given_to     the contact that the coupon was made for
--   contact_id   the contact who used it
--   order_ref    the first row of the order
CREATE OR REPLACE VIEW outbox.redemption AS
SELECT
    coupon.code,
    coupon.message_id,
    coupon.role,
    coupon.contact_id AS given_to,
    interaction.contact_id,
    interaction.source,
    (
        array_agg(
            interaction.source_event_id
            ORDER BY length(interaction.source_event_id), interaction.source_event_id
        )
    )[1] AS source_event_id,
    interaction.source || ':' || (
        array_agg(
            interaction.source_event_id
            ORDER BY length(interaction.source_event_id), interaction.source_event_id
        )
    )[1] AS order_ref,
    min(interaction.kind) AS kind,
    interaction.occurred_at,
    min(interaction.occurred_on) AS occurred_on,
    sum(interaction.amount) AS amount,
    min(interaction.currency) AS currency,
    -- Any of its rows: one that came later may be the first now.
    coalesce(
        bool_or(coupon.order_ref = interaction.source || ':' || interaction.source_event_id), FALSE
    ) AS is_counted,
    interaction.occurred_at >= coupon.expires_at AS is_late,
    coalesce(interaction.occurred_at < coupon.starts_at, FALSE) AS is_early,
    coalesce(
        bool_and(interaction.currency = coalesce(coupon.currency, interaction.currency))
        AND sum(interaction.amount) < coupon.minimum, FALSE
    ) AS is_small
FROM outbox.coupon AS coupon
INNER JOIN core.interaction AS interaction
    ON
        interaction.coupon_code IS NOT NULL
        AND outbox.code_keys(interaction.coupon_code) @> ARRAY[coupon.code_key]
        AND interaction.kind IN ('purchase', 'loyalty')
        AND (
            interaction.occurred_at >= coupon.made_at
            OR interaction.occurred_at = coupon.day_began_at
        )
GROUP BY coupon.code, interaction.contact_id, interaction.source, interaction.occurred_at
UNION ALL
SELECT
    pool_code.code,
    NULL,
    NULL,
    NULL,
    interaction.contact_id,
    interaction.source,
    (
        array_agg(
            interaction.source_event_id
            ORDER BY length(interaction.source_event_id), interaction.source_event_id
        )
    )[1],
    interaction.source || ':' || (
        array_agg(
            interaction.source_event_id
            ORDER BY length(interaction.source_event_id), interaction.source_event_id
        )
    )[1],
    min(interaction.kind),
    interaction.occurred_at,
    min(interaction.occurred_on),
    sum(interaction.amount),
    min(interaction.currency),
    FALSE,
    FALSE,
    FALSE,
    FALSE
FROM outbox.pool_code AS pool_code
INNER JOIN core.interaction AS interaction
    ON
        interaction.coupon_code IS NOT NULL
        AND outbox.code_keys(interaction.coupon_code) @> ARRAY[pool_code.code_key]
        AND interaction.kind IN ('purchase', 'loyalty')
WHERE
    NOT EXISTS (
        SELECT 1
        FROM outbox.coupon AS given
        WHERE
            given.code_key = pool_code.code_key
            AND (
                interaction.occurred_at >= given.made_at
                OR interaction.occurred_at = given.day_began_at
            )
    )
GROUP BY pool_code.code_key, interaction.contact_id, interaction.source, interaction.occurred_at;
