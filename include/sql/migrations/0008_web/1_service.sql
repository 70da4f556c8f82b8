-- What tells a hit from its repetition, and one visitor from another. The address itself is kept
-- nowhere: its keyed hash is, or '' where the address says nothing (a proxy of our own).
ALTER TABLE outbox.hit
ADD COLUMN hit_key uuid NOT NULL DEFAULT gen_random_uuid(),
ADD COLUMN address_hash text NOT NULL DEFAULT '';
CREATE UNIQUE INDEX hit_by_key ON outbox.hit (contact_id, hit_key);

CREATE TYPE outbox.rule AS ENUM (
    'press',       -- a button on the page was pressed: a human
    'confirmed',   -- the same visitor pressed a button of the same link: a human
    'no_sign',     -- nothing speaks against a human
    'not_a_get',   -- HEAD: asks whether the page is there, and reads nothing
    'prefetch',    -- the browser says that nobody has asked for the page yet
    'no_agent',    -- says nothing about itself
    'crawler',     -- says that it is a program
    'many_links',  -- one visitor with more links, in less time, than a person gets
    'too_soon'     -- faster after the text than anybody reads
);

-- Why a hit is (not) a person's. The rules' order lives here alone: what the request says of itself
-- (`said`, from web/hits.py) is not believed against a press.
CREATE FUNCTION outbox.rule_of(
    kind outbox.hit_kind,
    is_confirmed boolean,
    said outbox.rule,
    hit_at timestamptz,
    accepted_at timestamptz
) RETURNS outbox.rule LANGUAGE sql IMMUTABLE AS $$
    SELECT
        CASE
            WHEN kind = 'press' THEN 'press'::outbox.rule
            WHEN is_confirmed THEN 'confirmed'::outbox.rule
            WHEN said IS NOT NULL THEN said
            WHEN hit_at < accepted_at + interval '2 seconds' THEN 'too_soon'::outbox.rule
            ELSE 'no_sign'::outbox.rule
        END
$$;

CREATE FUNCTION outbox.is_human(rule outbox.rule) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT rule IN ('press', 'confirmed', 'no_sign')
$$;

-- What the newest rules say of a hit; written with it, and again by `reengage judge`.
CREATE TABLE outbox.verdict (
    contact_id bigint NOT NULL,
    hit_id bigint NOT NULL,
    version integer NOT NULL,        -- of the rules: web/hits.py
    rule outbox.rule NOT NULL,
    verdict text NOT NULL GENERATED ALWAYS AS (
        CASE WHEN outbox.is_human(rule) THEN 'human' ELSE 'machine' END
    ) STORED,
    PRIMARY KEY (contact_id, hit_id)
);

-- A hit from before the table above keeps what version 1 said, until it is judged again.
CREATE OR REPLACE VIEW outbox.judged_hit AS
SELECT
    hit.hit_id,
    hit.contact_id,
    hit.message_id,
    hit.code,
    hit.at,
    hit.kind,
    coalesce(judged.version, 1) AS verdict_version,
    CASE
        WHEN judged.verdict IS NOT NULL THEN judged.verdict
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
    END AS verdict,
    judged.rule
FROM outbox.hit AS hit
INNER JOIN outbox.message AS message
    ON hit.contact_id = message.contact_id AND hit.message_id = message.message_id
LEFT JOIN outbox.verdict AS judged
    ON hit.contact_id = judged.contact_id AND hit.hit_id = judged.hit_id;

-- What a provider called in, raw, once it was known to be the provider. Bodies hold numbers: a body
-- is forgotten as soon as it is mapped, and its digest (keyed) stays, so that a repetition is known.
CREATE TABLE outbox.webhook (
    webhook_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider text NOT NULL,
    digest text NOT NULL,
    url text NOT NULL,               -- as the provider called it: its query may name the message
    body bytea,
    received_at timestamptz NOT NULL,
    mapped_at timestamptz,
    error text,                      -- why it could not be mapped: the body stays, for the next run
    UNIQUE (provider, digest),
    CHECK (mapped_at IS NULL OR body IS NULL)
);
CREATE INDEX webhook_to_map ON outbox.webhook (webhook_id) WHERE mapped_at IS NULL;

ALTER TYPE outbox.reply_meaning ADD VALUE 'start';  -- takes back a stop that was a reply
CREATE INDEX reply_start ON outbox.reply (phone_hash, received_at);
CREATE INDEX reply_to_read ON outbox.reply (reply_id)
WHERE meaning = 'unclear' AND reviewed_at IS NULL;

INSERT INTO core.word (about, word, label, sentence)
VALUES
('outbox.rule', 'press', 'Pressed a button', NULL),
('outbox.rule', 'confirmed', 'Pressed a button before or after', NULL),
('outbox.rule', 'no_sign', 'No sign of a machine', NULL),
('outbox.rule', 'not_a_get', 'Only asked whether the page is there', NULL),
('outbox.rule', 'prefetch', 'Loaded ahead by a browser or a preview', NULL),
('outbox.rule', 'no_agent', 'Does not say what it is', NULL),
('outbox.rule', 'crawler', 'Says that it is a program', NULL),
('outbox.rule', 'many_links', 'Opened more links than a person gets', NULL),
('outbox.rule', 'too_soon', 'Faster after the text than anybody reads', NULL),
(
    'outbox.reply_meaning', 'start', 'Asked for texts again',
    'Takes back a stop that came by reply; one made elsewhere stands.'
);
