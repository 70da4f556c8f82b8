-- outbox: messages on their way, and everything that came back about them.
CREATE SCHEMA outbox;

CREATE TYPE outbox.message_status AS ENUM (
    'draft',        -- decided and rendered; the day's gates are still ahead
    'queued',       -- may be sent
    'sending',      -- claimed by a sender: from here on it may be out
    'accepted',     -- the provider took it
    'delivered',    -- the provider says that the handset has it
    'undelivered',  -- the provider says that it never will
    'expired',      -- the provider gave up before the handset was reached
    'rejected',     -- the provider refused it for good: nothing was sent
    'unknown',      -- it cannot be proved whether it was sent: never sent again
    'cancelled'     -- ours: stop, return, gate, too late
);

-- The key is the rule "each step at most once an episode"; message_id is its UUIDv5.
CREATE TABLE outbox.message (
    contact_id bigint NOT NULL,
    message_id uuid NOT NULL,
    dormant_since date NOT NULL,
    step text NOT NULL,
    channel text NOT NULL,
    as_of date NOT NULL,
    phone_hash text NOT NULL,
    provider text,                   -- the one it was handed to
    body text,
    encoding text NOT NULL,          -- GSM-7 or UCS-2
    segments integer NOT NULL,
    not_before timestamptz NOT NULL,
    not_after timestamptz NOT NULL,
    status outbox.message_status NOT NULL,
    status_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    claimed_by bigint,               -- the advisory lock that the claimer's session holds
    claimed_at timestamptz,          -- by the wall, even in a simulation: providers live by it
    bulk_id text,
    provider_message_id text,
    error_code text,                 -- the provider's raw code, or our reason to cancel
    price numeric,                   -- of the whole message, in currency
    currency text,
    accepted_at timestamptz,
    delivered_at timestamptz,
    PRIMARY KEY (contact_id, dormant_since, step, channel)
);
CREATE UNIQUE INDEX message_by_id ON outbox.message (message_id, contact_id);
CREATE INDEX message_to_send ON outbox.message (not_before) WHERE status = 'queued';
CREATE INDEX message_in_doubt ON outbox.message (bulk_id) WHERE status IN ('sending', 'unknown');
CREATE INDEX message_in_flight ON outbox.message (accepted_at) WHERE status = 'accepted';
CREATE INDEX message_by_day ON outbox.message (as_of, step);
CREATE INDEX message_by_phone ON outbox.message (phone_hash, step);

-- Looked up by code, by strangers.
CREATE TABLE outbox.link (
    code text PRIMARY KEY,
    message_id uuid NOT NULL,
    contact_id bigint NOT NULL,
    target text NOT NULL,            -- landing:survey, landing:contest, landing:coupon
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX link_by_message ON outbox.link (message_id);

CREATE TYPE outbox.hit_kind AS ENUM (
    'view',    -- the link was fetched, by somebody or something
    'press'    -- a button on the page was pressed: a human
);

-- Raw and append-only: who or what it was is judged by outbox.judged_hit.
CREATE TABLE outbox.hit (
    hit_id bigint GENERATED ALWAYS AS IDENTITY,
    code text NOT NULL,
    contact_id bigint NOT NULL,
    message_id uuid NOT NULL,
    at timestamptz NOT NULL,
    kind outbox.hit_kind NOT NULL,
    method text NOT NULL,
    user_agent text NOT NULL,
    purpose text NOT NULL,           -- of the Purpose and Sec-Purpose headers
    PRIMARY KEY (contact_id, hit_id)
);
CREATE INDEX hit_by_message ON outbox.hit (message_id);
CREATE INDEX hit_by_time ON outbox.hit (at);

CREATE TYPE outbox.coupon_kind AS ENUM ('percent', 'value');

CREATE TABLE outbox.coupon (
    code text PRIMARY KEY,
    message_id uuid NOT NULL,        -- one coupon a message, made with it, never reused
    contact_id bigint NOT NULL,
    kind outbox.coupon_kind NOT NULL,
    value numeric NOT NULL,
    expires_at timestamptz NOT NULL,
    redeemed_at timestamptz,
    order_ref text
);
CREATE INDEX coupon_by_contact ON outbox.coupon (contact_id);
CREATE INDEX coupon_by_message ON outbox.coupon (message_id);

-- Everything a provider said about a message, as it said it; mapped afterwards.
CREATE TABLE outbox.receipt (
    receipt_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider text NOT NULL,
    message_id text NOT NULL,         -- as the provider wrote it: it may be no message of ours
    status outbox.message_status NOT NULL,
    raw_code text NOT NULL,
    is_permanent boolean NOT NULL,    -- the number itself is bad
    segments integer,
    price numeric,
    currency text,
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    applied_at timestamptz,
    UNIQUE (provider, message_id, status, raw_code)
);
CREATE INDEX receipt_to_apply ON outbox.receipt (receipt_id) WHERE applied_at IS NULL;

CREATE TYPE outbox.reply_meaning AS ENUM (
    'stop',    -- opts out
    'unclear'  -- a person looks at it; nothing is sent to the number until then
);

CREATE TABLE outbox.reply (
    reply_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider text NOT NULL,
    provider_reply_id text NOT NULL,
    phone_hash text NOT NULL,
    text text NOT NULL,
    meaning outbox.reply_meaning NOT NULL,
    received_at timestamptz NOT NULL,
    reviewed_at timestamptz,          -- a person read it, or nothing in it needed one
    UNIQUE (provider, provider_reply_id)
);
CREATE INDEX reply_to_review ON outbox.reply (phone_hash)
WHERE meaning = 'unclear' AND reviewed_at IS NULL;

-- The verdict, rules of version 1. Raw hits stay, so another version can judge them again.
CREATE VIEW outbox.judged_hit AS
SELECT
    hit.hit_id,
    hit.contact_id,
    hit.message_id,
    hit.code,
    hit.at,
    hit.kind,
    1 AS verdict_version,
    CASE
        WHEN hit.kind = 'press' THEN 'human'
        WHEN hit.method <> 'GET' THEN 'machine'
        WHEN hit.user_agent = '' THEN 'machine'
        WHEN hit.purpose ILIKE '%prefetch%' OR hit.purpose ILIKE '%preview%' THEN 'machine'
        WHEN hit.user_agent ~* '(bot|crawl|spider|preview|scan|facebookexternalhit|whatsapp|slack)'
            THEN 'machine'
        WHEN hit.user_agent ~* '^(curl|wget|python|go-http|java|okhttp|axios|libwww)'
            THEN 'machine'
        WHEN hit.at < message.accepted_at + interval '2 seconds' THEN 'machine'
        ELSE 'human'
    END AS verdict
FROM outbox.hit AS hit
INNER JOIN outbox.message AS message
    ON hit.contact_id = message.contact_id AND hit.message_id = message.message_id;
