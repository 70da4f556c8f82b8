-- Values that the next revisions use: PostgreSQL wants them committed first.
ALTER TYPE cohort.reason ADD VALUE 'not_mobile' AFTER 'no_phone';  -- the number is no mobile: nothing rings

-- Goods or money went back: never a signal, and less than nothing to the revenue.
ALTER TYPE core.interaction_kind ADD VALUE 'refund';

CREATE TYPE core.phone_kind AS ENUM (
    'mobile',
    'fixed_line_or_mobile',   -- the country's numbers do not tell: it is written to
    'unknown',                -- no list knows it: it is written to
    'fixed_line',             -- a landline
    'toll_free',              -- the called one pays
    'premium_rate',           -- the caller pays a lot
    'shared_cost',            -- both pay
    'voip',                   -- a telephone of the internet
    'personal_number',        -- follows its owner, at the caller's cost
    'pager',
    'uan',                    -- a company's one number for all its places
    'voicemail'
);
