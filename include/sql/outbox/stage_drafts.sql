-- The staging table of a day's texts. Gone with the transaction, so running it twice is safe.
CREATE TEMPORARY TABLE drafted (
    contact_id bigint,
    message_id uuid,
    dormant_since date,
    step text,
    variant text,
    landing text,
    phone_hash text,
    body text,
    encoding text,
    segments integer,
    expected_price numeric,
    not_before timestamptz,
    not_after timestamptz,
    link_code text,
    coupon_code text,
    coupon_kind text,
    coupon_value numeric,
    coupon_expires_at timestamptz,
    coupon_minimum numeric,
    coupon_starts_at timestamptz,
    coupon_pool text
) ON COMMIT DROP;
