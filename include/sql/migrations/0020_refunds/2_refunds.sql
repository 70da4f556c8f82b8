-- What an order is, by its amount: less than nothing goes back, and is a sign of nothing; an order of
-- nothing is a sign of life, but no purchase, unless a coupon of ours has paid for it.
CREATE FUNCTION core.kind_by_amount(
    kind core.interaction_kind, amount numeric, is_paid_by_us boolean
) RETURNS core.interaction_kind LANGUAGE sql IMMUTABLE AS $$
SELECT
    CASE
        WHEN kind IN ('purchase', 'loyalty') AND amount < 0
            THEN CAST('refund' AS core.interaction_kind)
        WHEN kind = 'purchase' AND amount = 0 AND NOT is_paid_by_us
            THEN CAST('visit' AS core.interaction_kind)
        ELSE kind
    END
$$;

-- Whether a text names a code of ours: one that was given out, or one of a pool.
CREATE FUNCTION outbox.names_our_code(said text) RETURNS boolean LANGUAGE sql STABLE AS $$
SELECT
    EXISTS(
        SELECT 1
        FROM outbox.coupon AS coupon
        WHERE coupon.code_key = ANY(outbox.code_keys(said))
    )
    OR EXISTS(
        SELECT 1
        FROM outbox.pool_code AS pool_code
        WHERE pool_code.code_key = ANY(outbox.code_keys(said))
    )
$$;

-- Of a refund: it takes a purchase back whole. The purchase is kind `refund` with its amount, and
-- settled as well, until the refund is taken back itself. Neither is part of a revenue.
ALTER TABLE core.interaction ADD COLUMN is_settled boolean;

-- Contacts who ever gave something back: few.
CREATE INDEX interaction_refunds ON core.interaction (contact_id) WHERE kind = 'refund';

-- Which refunds take a purchase back whole, and which purchases: of one contact, source, currency,
-- product and amount, each refund takes the latest purchase before it that no other has taken, as
-- brackets close. Ask for one contact, in a LATERAL with OFFSET 0: interaction_by_contact has it.
--   is_settled   one of such a pair
--   kind         what the interaction is, then
CREATE VIEW core.settlement AS
SELECT
    paired.contact_id,
    paired.source,
    paired.source_event_id,
    paired.is_settled,
    CASE
        WHEN paired.is_purchase AND NOT paired.is_settled
            THEN CAST('purchase' AS core.interaction_kind)
        ELSE CAST('refund' AS core.interaction_kind)
    END AS kind
FROM (
    SELECT
        open.*,
        CASE
            -- Closed later, where fewer are open then than with it.
            WHEN open.is_purchase
                THEN
                    coalesce(
                        min(open.height) OVER (
                            PARTITION BY
                                open.contact_id, open.source, open.currency, open.product_id,
                                open.amount
                            ORDER BY open.place
                            ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
                        ) < open.height, FALSE
                    )
            -- It closes one, where one was open.
            ELSE open.total >= open.lowest_before
        END AS is_settled
    FROM (
        SELECT
            counted.*,
            least(
                0,
                min(counted.total) OVER (
                    PARTITION BY
                        counted.contact_id, counted.source, counted.currency, counted.product_id,
                        counted.amount
                    ORDER BY counted.place
                    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                )
            ) AS lowest_before,
            -- So many purchases are open after it: a refund that closes none does not count.
            counted.total - least(
                0,
                min(counted.total) OVER (
                    PARTITION BY
                        counted.contact_id, counted.source, counted.currency, counted.product_id,
                        counted.amount
                    ORDER BY counted.place
                    ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
                )
            ) AS height
        FROM (
            SELECT
                sided.*,
                sum(CASE WHEN sided.is_purchase THEN 1 ELSE -1 END) OVER (
                    PARTITION BY
                        sided.contact_id, sided.source, sided.currency, sided.product_id,
                        sided.amount
                    ORDER BY sided.place
                ) AS total
            FROM (
                SELECT
                    interaction.contact_id,
                    interaction.source,
                    interaction.source_event_id,
                    coalesce(interaction.currency, '?') AS currency,
                    coalesce(interaction.product_id, '') AS product_id,
                    abs(interaction.amount) AS amount,
                    interaction.amount > 0 AS is_purchase,
                    row_number() OVER (
                        PARTITION BY interaction.contact_id
                        ORDER BY
                            interaction.occurred_at, interaction.amount < 0,
                            interaction.source, interaction.source_event_id
                    ) AS place
                FROM core.interaction AS interaction
                WHERE interaction.kind IN ('purchase', 'refund') AND interaction.amount <> 0
            ) AS sided
        ) AS counted
    ) AS open
) AS paired;

-- What was taken for a purchase before. The days that follow are told by the load after the last one.
CREATE TEMPORARY TABLE corrected ON COMMIT DROP AS
WITH changed AS (
    UPDATE core.interaction AS interaction
    SET
        kind = core.kind_by_amount(
            interaction.kind,
            interaction.amount,
            interaction.amount = 0
            AND interaction.coupon_code IS NOT NULL
            AND outbox.names_our_code(interaction.coupon_code)
        )
    WHERE
        interaction.amount <= 0
        AND interaction.kind IN ('purchase', 'loyalty')
        AND core.kind_by_amount(
            interaction.kind,
            interaction.amount,
            interaction.amount = 0
            AND interaction.coupon_code IS NOT NULL
            AND outbox.names_our_code(interaction.coupon_code)
        ) <> interaction.kind
    RETURNING interaction.contact_id
)

SELECT DISTINCT changed.contact_id FROM changed;

UPDATE core.interaction AS interaction
SET kind = settlement.kind, is_settled = settlement.is_settled
FROM corrected
CROSS JOIN
    LATERAL (
        SELECT settled.*
        FROM core.settlement AS settled
        WHERE settled.contact_id = corrected.contact_id
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

-- Their activity, as core/redo_activity makes it today.
WITH signals AS (
    SELECT CAST(string_to_array(derived.value, ',') AS core.interaction_kind[]) AS kinds
    FROM core.derived_from AS derived
    WHERE derived.name = 'signals'
),

anew AS (
    SELECT
        corrected.contact_id,
        max(interaction.occurred_on) FILTER (WHERE interaction.kind = 'purchase') AS last_purchase_on,
        max(interaction.occurred_on) FILTER (WHERE interaction.kind = 'visit') AS last_visit_on,
        max(interaction.occurred_on) FILTER (WHERE interaction.kind = 'loyalty') AS last_loyalty_on,
        max(interaction.occurred_on) FILTER (WHERE interaction.kind = 'email_open')
            AS last_email_open_on,
        max(interaction.occurred_on) FILTER (WHERE interaction.kind = 'email_click')
            AS last_email_click_on,
        max(interaction.occurred_on) FILTER (WHERE interaction.kind = 'reply') AS last_reply_on,
        max(interaction.occurred_on) FILTER (WHERE interaction.kind = 'login') AS last_login_on,
        max(interaction.occurred_on) FILTER (
            WHERE interaction.kind = ANY(ARRAY(SELECT unnest(signals.kinds) FROM signals))
        ) AS last_signal_on,
        min(interaction.occurred_on) FILTER (WHERE interaction.kind <> 'refund' AND interaction.is_own)
            AS first_interaction_on,
        count(interaction.kind) FILTER (WHERE interaction.kind = 'purchase' AND interaction.is_own)
            AS purchases
    FROM corrected
    LEFT JOIN core.sign_of_life AS interaction ON corrected.contact_id = interaction.contact_id
    GROUP BY corrected.contact_id
),

spaced AS (
    SELECT
        apart.contact_id,
        array_agg(apart.days ORDER BY apart.days) AS purchase_gaps,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY apart.days) AS median_days
    FROM (
        SELECT
            bought.contact_id,
            bought.occurred_on - lag(bought.occurred_on) OVER (
                PARTITION BY bought.contact_id ORDER BY bought.occurred_on
            ) AS days
        FROM (
            SELECT DISTINCT
                interaction.contact_id,
                interaction.occurred_on
            FROM corrected
            INNER JOIN core.interaction AS interaction
                ON corrected.contact_id = interaction.contact_id
            WHERE interaction.kind = 'purchase'
        ) AS bought
    ) AS apart
    WHERE apart.days IS NOT NULL
    GROUP BY apart.contact_id
)

UPDATE core.contact_activity AS activity
SET
    last_purchase_on = anew.last_purchase_on,
    last_visit_on = anew.last_visit_on,
    last_loyalty_on = anew.last_loyalty_on,
    last_email_open_on = anew.last_email_open_on,
    last_email_click_on = anew.last_email_click_on,
    last_reply_on = anew.last_reply_on,
    last_login_on = anew.last_login_on,
    last_signal_on = anew.last_signal_on,
    first_interaction_on = anew.first_interaction_on,
    visible_on = coalesce(
        least(contact.created_on, anew.first_interaction_on), contact.first_seen_on
    ),
    purchases = anew.purchases,
    purchase_gaps = coalesce(spaced.purchase_gaps, '{}'),
    median_days_between_purchases = spaced.median_days,
    updated_load_id = (SELECT coalesce(max(day.last_load_id), 0) + 1 FROM cohort.day AS day)
FROM anew
INNER JOIN core.contact AS contact ON anew.contact_id = contact.contact_id
LEFT JOIN spaced ON anew.contact_id = spaced.contact_id
WHERE activity.contact_id = anew.contact_id;
