-- Why a hit is (not) a person's. The rules' order lives here alone.
-- Parameters: is_pressed, is_touched: by the same visitor on the same link, before or after; said:
-- what the request says of itself, or how many links its visitor follows (web/hits.py).
CREATE OR REPLACE FUNCTION outbox.rule_of(
    kind outbox.hit_kind,
    is_pressed boolean,
    is_touched boolean,
    said outbox.rule,
    leads_away boolean,
    hit_at timestamptz,
    accepted_at timestamptz
) RETURNS outbox.rule LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT
        CASE
            WHEN kind = 'press' THEN 'press'::outbox.rule
            WHEN kind = 'beacon' AND outbox.says_machine(said) THEN said
            WHEN is_pressed THEN 'confirmed'::outbox.rule
            WHEN outbox.says_machine(said) THEN said
            WHEN is_touched OR kind = 'beacon' THEN 'confirmed'::outbox.rule
            WHEN said <> 'browser' THEN said
            WHEN hit_at < accepted_at + interval '2 seconds' THEN 'too_soon'::outbox.rule
            WHEN leads_away AND said = 'browser' THEN 'browser'::outbox.rule
            ELSE 'no_sign'::outbox.rule
        END
$$;
