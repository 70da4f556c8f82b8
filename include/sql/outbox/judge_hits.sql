-- Judge the hits of some time by the rules of a version, as outbox/record_hit does one by one.
-- Grain: hit; returns how many, and how many verdicts are others than before. Reads: outbox.hit,
-- outbox.message, outbox.link, outbox.judged_hit. Writes: outbox.verdict.
-- Parameters: from_at, to_at (exclusive); methods, agents, purposes, saids: what requests say of
-- themselves, each once, with the rule that it fits or NULL; many_links, many_seconds:
-- one visitor with so many links in so long is a machine; version.
-- Twice: the same verdicts, and nothing is written.
WITH said AS (
    SELECT
        sign.method,
        sign.user_agent,
        sign.purpose,
        sign.rule
    FROM
        unnest(
            CAST(:methods AS text[]),
            CAST(:agents AS text[]),
            CAST(:purposes AS text[]),
            CAST(:saids AS outbox.rule[])
        )
            AS sign (method, user_agent, purpose, rule)
),

taken AS MATERIALIZED (
    SELECT
        hit.contact_id,
        hit.hit_id,
        hit.code,
        hit.at,
        hit.kind,
        hit.user_agent,
        hit.address_hash,
        said.rule,
        message.accepted_at,
        outbox.leads_away(link.target, link.expires_at, hit.at) AS leads_away,
        before.verdict
    FROM outbox.hit AS hit
    INNER JOIN outbox.message AS message
        ON hit.contact_id = message.contact_id AND hit.message_id = message.message_id
    INNER JOIN outbox.judged_hit AS before
        ON hit.contact_id = before.contact_id AND hit.hit_id = before.hit_id
    LEFT JOIN outbox.link AS link ON hit.code = link.code
    LEFT JOIN said
        ON
            hit.method = said.method
            AND hit.user_agent = said.user_agent
            AND hit.purpose = said.purpose
    WHERE hit.at >= :from_at AND hit.at < :to_at
),

-- A visitor's links in the order in which they were first opened, with how many there were in the
-- seconds up to each; all of the seconds before a crowded moment are crowded.
opened AS (
    SELECT
        taken.address_hash,
        taken.user_agent,
        taken.code,
        min(taken.at) AS at
    FROM taken
    WHERE taken.address_hash <> ''
    GROUP BY taken.address_hash, taken.user_agent, taken.code
),

counted AS (
    SELECT
        opened.address_hash,
        opened.user_agent,
        opened.code,
        opened.at,
        count(*) OVER (
            PARTITION BY opened.address_hash, opened.user_agent
            ORDER BY extract(EPOCH FROM opened.at)
            RANGE BETWEEN :many_seconds PRECEDING AND CURRENT ROW
        ) AS links
    FROM opened
),

crowded AS (
    SELECT
        counted.address_hash,
        counted.user_agent,
        counted.code,
        max(counted.links) OVER (
            PARTITION BY counted.address_hash, counted.user_agent
            ORDER BY extract(EPOCH FROM counted.at)
            RANGE BETWEEN CURRENT ROW AND :many_seconds FOLLOWING
        ) AS links
    FROM counted
),

ruled AS (
    SELECT
        taken.contact_id,
        taken.hit_id,
        taken.verdict,
        outbox.rule_of(
            taken.kind,
            done.is_pressed,
            done.is_touched,
            CASE
                WHEN
                    crowded.links >= CAST(:many_links AS integer)
                    AND NOT outbox.says_machine(taken.rule)
                    THEN CAST('many_links' AS outbox.rule)
                ELSE taken.rule
            END,
            taken.leads_away,
            taken.at,
            taken.accepted_at
        ) AS rule
    FROM taken
    CROSS JOIN
        LATERAL (
            SELECT
                coalesce(bool_or(theirs.kind = 'press'), FALSE) AS is_pressed,
                coalesce(
                    bool_or(outbox.is_touch(theirs.kind, theirs.method, theirs.purpose)), FALSE
                ) AS is_touched
            FROM outbox.hit AS theirs
            WHERE
                taken.address_hash <> ''
                AND theirs.contact_id = taken.contact_id
                AND theirs.code = taken.code
                AND theirs.address_hash = taken.address_hash
                AND theirs.user_agent = taken.user_agent
        ) AS done
    LEFT JOIN crowded
        ON
            taken.address_hash = crowded.address_hash
            AND taken.user_agent = crowded.user_agent
            AND taken.code = crowded.code
),

written AS (
    INSERT INTO outbox.verdict AS verdict (contact_id, hit_id, version, rule)
    SELECT
        ruled.contact_id,
        ruled.hit_id,
        :version,
        ruled.rule
    FROM ruled
    ON CONFLICT (contact_id, hit_id) DO UPDATE
        SET version = excluded.version, rule = excluded.rule
        WHERE verdict.version <> excluded.version OR verdict.rule <> excluded.rule
)

SELECT
    count(*) AS judged,
    count(*) FILTER (
        WHERE ruled.verdict <> outbox.verdict_of(ruled.rule, CAST(:version AS integer))
    ) AS changed
FROM ruled;
