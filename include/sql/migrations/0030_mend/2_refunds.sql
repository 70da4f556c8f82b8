-- What is given back under an order's own id on a day to come has replaced the order: it waits for its
-- day under a key of its own, and the order stands again.
CREATE TEMPORARY TABLE early ON COMMIT DROP AS
SELECT DISTINCT ON (refund.source, refund.record_key)
    refund.ctid AS refund_place,
    past.ctid AS place,
    identity.contact_id,
    past.*
FROM raw.interaction AS refund
INNER JOIN raw.interaction AS past
    ON
        refund.source = past.source
        AND refund.record_key = past.record_key
        AND past.status = 'superseded'
INNER JOIN raw.load AS load ON past.load_id = load.load_id
INNER JOIN core.contact_identity AS identity
    ON
        past.contact_source = identity.source
        AND past.source_contact_id = identity.source_contact_id
WHERE
    refund.status = 'waiting'
    AND refund.amount < 0
    AND past.amount > 0
    AND load.status = 'loaded'
ORDER BY
    refund.source ASC, refund.record_key ASC, past.load_id DESC, past.file_id DESC, past.line DESC;

UPDATE raw.interaction AS refund
SET record_key = raw.refund_key(refund.record_key)
WHERE
    refund.status = 'waiting'
    AND refund.amount < 0
    AND raw.refunded_key(refund.record_key) IS NULL;

UPDATE raw.interaction AS bought
SET status = 'loaded', superseded_by = NULL
FROM early
WHERE bought.ctid = early.place;

INSERT INTO core.interaction (
    contact_id, source, source_event_id, kind, occurred_at, occurred_on, amount, currency,
    product_id, coupon_code, loaded_at, load_id
)
SELECT
    early.contact_id,
    early.source,
    early.record_key,
    CAST(early.kind AS core.interaction_kind),
    early.occurred_at,
    early.dated_on,
    early.amount,
    early.currency,
    early.product_id,
    early.coupon_code,
    coalesce(load.finished_at, load.started_at),
    early.load_id
FROM early
INNER JOIN raw.load AS load ON early.load_id = load.load_id
ON CONFLICT (contact_id, source, source_event_id) DO NOTHING;

UPDATE told SET orders = (SELECT count(*) FROM early);

INSERT INTO corrected (contact_id)
SELECT DISTINCT early.contact_id
FROM early
ON CONFLICT (contact_id) DO NOTHING;

-- Of whom refunds were looked at when they were told apart from purchases (0020), those who share an id
-- with them were not.
INSERT INTO corrected (contact_id)
SELECT DISTINCT refund.contact_id
FROM core.interaction AS refund
WHERE refund.kind = 'refund'
ON CONFLICT (contact_id) DO NOTHING;

UPDATE core.interaction AS interaction
SET kind = settlement.kind, is_settled = settlement.is_settled
FROM corrected
CROSS JOIN
    LATERAL (
        SELECT settled.*
        FROM core.settlement AS settled
        WHERE
            settled.contact_id = corrected.contact_id
            AND EXISTS (
                SELECT 1
                FROM core.interaction AS refund
                WHERE refund.contact_id = corrected.contact_id AND refund.kind = 'refund'
            )
        ORDER BY settled.source_event_id
        OFFSET 0
    ) AS settlement
WHERE
    interaction.contact_id = settlement.contact_id
    AND interaction.source = settlement.source
    AND interaction.source_event_id = settlement.source_event_id
    AND (
        interaction.kind <> settlement.kind
        OR coalesce(interaction.is_settled, FALSE) <> settlement.is_settled
    );

INSERT INTO corrected (contact_id)
SELECT DISTINCT restraint.contact_id
FROM corrected
INNER JOIN core.restraint AS restraint ON corrected.contact_id = restraint.by_contact_id
ON CONFLICT (contact_id) DO NOTHING;

ANALYZE corrected;

-- The coupons that they name, by the first use that still is one.
WITH used AS (
    SELECT
        coupon.code,
        first_use.occurred_at,
        first_use.order_ref
    FROM (
        SELECT DISTINCT unnest(outbox.code_keys(interaction.coupon_code)) AS code_key
        FROM corrected
        INNER JOIN core.interaction AS interaction ON corrected.contact_id = interaction.contact_id
        WHERE interaction.coupon_code IS NOT NULL
    ) AS named
    INNER JOIN outbox.coupon AS coupon ON named.code_key = coupon.code_key
    LEFT JOIN
        LATERAL (
            SELECT
                redemption.occurred_at,
                redemption.order_ref
            FROM outbox.redemption AS redemption
            WHERE redemption.code = coupon.code AND redemption.message_id = coupon.message_id
            ORDER BY redemption.occurred_at, redemption.order_ref
            LIMIT 1
        ) AS first_use
        ON TRUE
),

followed AS (
    UPDATE outbox.coupon AS coupon
    SET redeemed_at = used.occurred_at, order_ref = used.order_ref
    FROM used
    WHERE
        coupon.code = used.code
        AND (coupon.redeemed_at, coupon.order_ref)
        IS DISTINCT FROM (used.occurred_at, used.order_ref)
    RETURNING coupon.redeemed_at
)

UPDATE told
SET coupons = (SELECT count(*) FILTER (WHERE followed.redeemed_at IS NULL) FROM followed);
