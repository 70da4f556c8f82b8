-- A code may stand among others, or within words: SAVE5, TZMPD-4QTHR; code:C2RXK-HFN6S|amount:5.00.

-- The keys (outbox.code_key) of all codes that a text may hold: runs of up to eight groups of letters
-- and digits, whatever is between the groups, as a code is typed with blanks or signs in it. Of the
-- length that codes have.
CREATE FUNCTION outbox.code_keys(said text) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
SELECT
    coalesce(array_agg(DISTINCT run.code_key), '{}')
FROM (
    SELECT array_to_string(words.word[start.place:start.place + more.words], '') AS code_key
    FROM (
        SELECT regexp_split_to_array(upper(said COLLATE "C"), '[^A-Z0-9]+') AS word
    ) AS words
    CROSS JOIN LATERAL generate_series(1, cardinality(words.word)) AS start (place)
    CROSS JOIN LATERAL generate_series(0, least(7, cardinality(words.word) - start.place))
        AS more (words)
) AS run
WHERE length(run.code_key) BETWEEN 4 AND 40
$$;

DROP VIEW outbox.used_code;
DROP INDEX core.interaction_by_code;

-- Orders by the codes named in them: most have none.
CREATE INDEX interaction_by_code ON core.interaction USING gin (outbox.code_keys(coupon_code))
WHERE coupon_code IS NOT NULL;

-- The codes that orders have used, whoever they were given to, if they were given to anybody. Ask
-- whether code_keys @> ARRAY[one key]: interaction_by_code has it.
CREATE VIEW outbox.used_code AS
SELECT outbox.code_keys(interaction.coupon_code) AS code_keys
FROM core.interaction AS interaction
WHERE interaction.coupon_code IS NOT NULL AND interaction.kind IN ('purchase', 'loyalty');

-- Every use of a coupon, the first of which redeems it (is_counted); several show a code that is
-- passed on. Rows of one contact and source with one code and one moment are the lines of one order:
-- one use, of their sum; an order that names several codes uses each. The shop took the order, so it counts, whatever it is noted to be: late and
-- early are outside of when the coupon was good, small is below its minimum (the order's currency is
-- not looked at). An order from before the coupon was made does not redeem it. Where its code is one
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
    coalesce(sum(interaction.amount) < coupon.minimum, FALSE) AS is_small
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

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'reengage_web') THEN
        GRANT SELECT ON outbox.used_code TO reengage_web;
    END IF;
END;
$$;
