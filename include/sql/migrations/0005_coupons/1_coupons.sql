-- Coupons: codes from a pool, when one is good, what was promised, and who used it.

-- Held until codes are there: the pool of the step's coupon was used up. Before the text is made.
ALTER TYPE cohort.reason ADD VALUE 'stock' BEFORE 'template';

INSERT INTO core.word (about, word, label, sentence)
VALUES
(
    'cohort.reason', 'stock', 'No coupon code left',
    'The codes that their coupon is taken from were used up. They are looked at again the next day.'
);

UPDATE core.word
SET
    sentence = 'The text could not be made for them: it came out too long or incomplete, or its sale '
    || 'would have been over before it could be sent. They are looked at again the next day.'
WHERE about = 'cohort.reason' AND word = 'template';

-- A code as it is compared: its letters and digits alone, case folded. SPRING-001 = spring001.
-- Other than letters and digits are the signs of ASCII, and the spaces and dashes of Unicode.
CREATE FUNCTION outbox.code_key(code text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
SELECT upper(
    regexp_replace(code, '[\s!-/:-@\[-`{-~\u00A0\u2000-\u206F\u2212]', '', 'g') COLLATE "C"
)
$$;

CREATE TYPE outbox.coupon_role AS ENUM (
    'coupon',     -- promised in the text
    'incentive'   -- given to whoever finished the page
);

ALTER TABLE outbox.coupon
ADD COLUMN role outbox.coupon_role NOT NULL DEFAULT 'coupon',
ADD COLUMN minimum numeric,              -- what an order must come to, in the brand's currency
ADD COLUMN starts_at timestamptz,        -- null: good at once
ADD COLUMN made_at timestamptz NOT NULL DEFAULT '-infinity',  -- -infinity: before this was noted
-- The brand's midnight before made_at: an order that is dated without a time lies there.
ADD COLUMN day_began_at timestamptz,
ADD COLUMN code_key text GENERATED ALWAYS AS (outbox.code_key(code)) STORED;

-- However it is typed, a code is one coupon, and so one contact's.
CREATE UNIQUE INDEX coupon_by_key ON outbox.coupon (code_key);

-- Codes that the shop made and somebody uploaded. One that was given to a message belongs to that
-- message for ever, sent or not: it is never given to another.
CREATE TABLE outbox.pool_code (
    code_key text PRIMARY KEY CHECK (code_key <> ''),   -- in one pool, once
    pool text NOT NULL,
    code text NOT NULL,                                 -- as the shop writes it
    place bigint GENERATED ALWAYS AS IDENTITY,          -- the order in which codes are given out
    added_at timestamptz NOT NULL,
    contact_id bigint,
    message_id uuid,
    role outbox.coupon_role,
    taken_at timestamptz,
    CHECK (num_nulls(contact_id, message_id, role, taken_at) IN (0, 4)),
    CHECK (code_key = outbox.code_key(code))
);
CREATE INDEX pool_code_free ON outbox.pool_code (pool, place) WHERE message_id IS NULL;
CREATE INDEX pool_code_taken ON outbox.pool_code (message_id) WHERE message_id IS NOT NULL;

-- Orders by the code used in them: most have none.
CREATE INDEX interaction_by_code ON core.interaction (outbox.code_key(coupon_code))
WHERE coupon_code IS NOT NULL;

-- Every use of a coupon, the first of which redeems it (is_counted); several show a code that is
-- passed on. The shop took the order, so it counts, whatever it is noted to be: late and early are
-- outside of when the coupon was good, small is below its minimum (the order's currency is not
-- looked at). An order from before the coupon was made is none.
--   given_to     the contact that the coupon was made for
--   contact_id   the contact who used it
CREATE VIEW outbox.redemption AS
SELECT
    coupon.code,
    coupon.message_id,
    coupon.role,
    coupon.contact_id AS given_to,
    interaction.contact_id,
    interaction.source,
    interaction.source_event_id,
    interaction.source || ':' || interaction.source_event_id AS order_ref,
    interaction.kind,
    interaction.occurred_at,
    interaction.occurred_on,
    interaction.amount,
    interaction.currency,
    coalesce(
        coupon.order_ref = interaction.source || ':' || interaction.source_event_id, FALSE
    ) AS is_counted,
    interaction.occurred_at >= coupon.expires_at AS is_late,
    coalesce(interaction.occurred_at < coupon.starts_at, FALSE) AS is_early,
    coalesce(interaction.amount < coupon.minimum, FALSE) AS is_small
FROM outbox.coupon AS coupon
INNER JOIN core.interaction AS interaction
    ON
        interaction.coupon_code IS NOT NULL
        AND coupon.code_key = outbox.code_key(interaction.coupon_code)
        AND interaction.kind IN ('purchase', 'loyalty')
        AND (
            interaction.occurred_at >= coupon.made_at
            OR interaction.occurred_at = coupon.day_began_at
        );
