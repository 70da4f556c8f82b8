-- What a day brings is written beside itself: by month, so that a day's rows go to the end of a small
-- table and its small indexes, and not all over those of all years. The day is part of the key, as it
-- must be; that an event stands once is seen to by the load, which knows the day that it named before.
ALTER TABLE core.interaction RENAME TO interaction_of_all_months;

ALTER TABLE core.interaction_of_all_months DROP CONSTRAINT interaction_pkey;

DROP INDEX core.interaction_by_contact, core.interaction_by_code, core.interaction_by_product,
core.interaction_refunds;

CREATE TABLE core.interaction (
    contact_id bigint NOT NULL,
    source text NOT NULL,
    source_event_id text NOT NULL,
    kind core.interaction_kind NOT NULL,
    occurred_at timestamptz NOT NULL,
    occurred_on date NOT NULL,
    amount numeric,
    currency text,
    product_id text,
    coupon_code text,
    loaded_at timestamptz NOT NULL,
    load_id bigint NOT NULL,
    -- Of a refund: it takes a purchase back whole. The purchase is kind `refund` with its amount,
    -- and settled as well, until the refund is taken back itself. Neither is part of a revenue.
    is_settled boolean
) PARTITION BY RANGE (occurred_on);

CREATE TEMPORARY TABLE told_month ON COMMIT DROP AS
SELECT DISTINCT CAST(date_trunc('month', CAST(old.occurred_on AS timestamp)) AS date) AS first_day
FROM core.interaction_of_all_months AS old;

-- As core.add_month makes them.
DO $$
DECLARE
    month record;
BEGIN
    IF EXISTS (SELECT 1 FROM told_month WHERE first_day < date '1990-01-01') THEN
        CREATE TABLE core.interaction_before_1990 PARTITION OF core.interaction
        FOR VALUES FROM (MINVALUE) TO ('1990-01-01');
    END IF;
    FOR month IN SELECT first_day FROM told_month WHERE first_day >= date '1990-01-01' ORDER BY first_day
    LOOP
        EXECUTE format(
            'CREATE TABLE core.%I PARTITION OF core.interaction FOR VALUES FROM (%L) TO (%L)',
            'interaction_' || to_char(month.first_day, 'YYYY_MM'),
            month.first_day,
            CAST(month.first_day + interval '1 month' AS date)
        );
    END LOOP;
END
$$;
