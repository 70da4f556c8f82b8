-- Each hit on a link with its verdict: `human`, `machine` or `unsure`. Fetchers of messengers and
-- mail call themselves browsers, so that no sign of a machine is no sign of a person: it decides
-- nothing. A hit from before there were verdicts keeps what version 1 said, until it is judged
-- again.
-- Grain: hit. Reads: outbox.hit, outbox.message, outbox.verdict.
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
