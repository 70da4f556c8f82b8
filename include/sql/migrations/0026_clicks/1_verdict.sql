-- A verdict is `human`, `machine` or `unsure`. Fetchers of messengers and mail call themselves
-- browsers, so that no sign of a machine is no sign of a person: it decides nothing.

-- What a request says of itself is not believed against a press, but against a touch.
CREATE FUNCTION outbox.says_machine(rule outbox.rule)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(rule IN ('not_a_get', 'prefetch', 'no_agent', 'crawler'), FALSE)
$$;

-- Whether a hit is what a page asks for when a hand is on it.
CREATE FUNCTION outbox.is_touch(kind outbox.hit_kind, method text, purpose text)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT kind = 'beacon' AND method = 'GET' AND purpose = ''
$$;

-- Whether a link leads to the brand's own page, which shows no hand, and not to one of ours.
CREATE FUNCTION outbox.leads_away(target text, expires_at timestamptz, at timestamptz)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(target LIKE 'landing:https://%' AND at < expires_at, FALSE)
$$;

-- Why a hit is (not) a person's. The rules' order lives here alone. is_pressed, is_touched: by the
-- same visitor on the same link, before or after; said: what the request says of itself, or how many
-- links its visitor follows (web/hits.py).
CREATE FUNCTION outbox.rule_of(
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

-- What a rule comes to. Until version 3 of the rules no sign of a machine was taken for a person,
-- and stays so until it is judged again.
CREATE FUNCTION outbox.verdict_of(rule outbox.rule, version integer)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT
        CASE
            WHEN rule IN ('press', 'confirmed', 'browser') THEN 'human'
            WHEN rule = 'no_sign' AND version <= 3 THEN 'human'
            WHEN rule = 'no_sign' THEN 'unsure'
            ELSE 'machine'
        END
$$;

-- A hit from before there were verdicts keeps what version 1 said, until it is judged again.
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
        WHEN judged.rule IS NOT NULL THEN outbox.verdict_of(judged.rule, judged.version)
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

ALTER TABLE outbox.verdict
DROP COLUMN verdict,
ADD COLUMN verdict text NOT NULL GENERATED ALWAYS AS (outbox.verdict_of(rule, version)) STORED;

DROP FUNCTION outbox.rule_of(outbox.hit_kind, boolean, outbox.rule, timestamptz, timestamptz);
DROP FUNCTION outbox.is_human(outbox.rule);
