-- A beacon: what a page loads when a hand is on it (a touch, a key, a pointer), and not before. Who
-- fetches a page without looking at it never asks for one.
ALTER TYPE outbox.hit_kind ADD VALUE 'beacon';  -- somebody's hand was on the page

-- Why a hit is (not) a person's. The rules' order lives here alone: what the request says of itself
-- (`said`, from web/hits.py) is not believed against a press, and a beacon only against what it says
-- of itself. (As text: a value that is added here cannot be named in its own transaction.)
CREATE OR REPLACE FUNCTION outbox.rule_of(
    kind outbox.hit_kind,
    is_confirmed boolean,
    said outbox.rule,
    hit_at timestamptz,
    accepted_at timestamptz
) RETURNS outbox.rule LANGUAGE sql IMMUTABLE AS $$
    SELECT
        CASE
            WHEN kind = 'press' THEN 'press'::outbox.rule
            WHEN kind::text = 'beacon' AND said IN ('not_a_get', 'prefetch', 'no_agent', 'crawler')
                THEN said
            WHEN is_confirmed OR kind::text = 'beacon' THEN 'confirmed'::outbox.rule
            WHEN said IS NOT NULL THEN said
            WHEN hit_at < accepted_at + interval '2 seconds' THEN 'too_soon'::outbox.rule
            ELSE 'no_sign'::outbox.rule
        END
$$;

UPDATE core.word
SET label = 'Their hand was on the page'
WHERE about = 'outbox.rule' AND word = 'confirmed';
