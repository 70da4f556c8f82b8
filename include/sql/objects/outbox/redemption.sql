-- Every use of a coupon, the first of which redeems it (is_counted); several show a code that is
-- passed on. Rows of one contact and source with one code and one moment are the lines of one
-- order: one use, of their sum; an order that names several codes uses each. The shop took the
-- order, so it counts, whatever it is noted to be: late and early are outside of when the coupon
-- was good, small is below its minimum, in the currency of that (an order in another is not
-- compared). An order from before the coupon was made does not redeem it. Where its code is one of
-- a pool, it was leaked, or used elsewhere: the use is listed, with nobody it was given to.
--   code         as it was given out or uploaded; message_id and role are null where given_to is
--   given_to     the contact that the coupon was made for
--   contact_id   the contact who used it
--   order_ref    the first row of the order
-- Grain: code, contact, source and moment. Reads: outbox.coupon, outbox.pool_code,
-- core.interaction.
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
        AND core.is_order(interaction.kind)
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
        AND core.is_order(interaction.kind)
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
