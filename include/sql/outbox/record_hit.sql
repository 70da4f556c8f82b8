-- Record that links were fetched or a button on their pages was pressed, judge it, and say what to
-- show. Several hits at once cost little more than one.
-- Grain: hit; a row of all that its page shows: the code's link, its message's number (hashed), its
-- coupons, what the person has said so far, and the contest of the message's step. No row: there is
-- no such link, and nothing is recorded.
-- Reads: outbox.link, outbox.message, outbox.coupon, outbox.drawing, outbox.said, core.contact,
-- core.product. Writes: outbox.hit, outbox.verdict.
-- Parameters: hits: a JSON array of {code; hit_key: of this request; at: when; kind: view, beacon or
-- press; method: of HTTP; user_agent and purpose: as the request's headers say, '' without;
-- address_hash: '' where it is not known; said: the rule that the request fits by what it says of
-- itself, null for none}; contests: a JSON object of contests by step; version: of the rules; channel: of the
-- suppression.
-- A message's coupons are looked for one by one: the planner, who has not seen the day's yet, might
-- else read all there ever were.
-- Twice: a hit_key that is there is not recorded again (is_new is false). It changes nothing about
-- the contact.
WITH link AS MATERIALIZED (
    SELECT
        asked.code,
        asked.hit_key,
        asked.at,
        asked.kind,
        asked.method,
        asked.user_agent,
        asked.purpose,
        asked.address_hash,
        asked.said,
        link.contact_id,
        link.message_id,
        link.target,
        link.expires_at,
        message.step,
        message.phone_hash,
        message.accepted_at
    FROM
        json_to_recordset(CAST(:hits AS json)) AS asked (
            code text,
            hit_key uuid,
            at timestamptz,
            kind outbox.hit_kind,
            method text,
            user_agent text,
            purpose text,
            address_hash text,
            said outbox.rule
        )
    INNER JOIN outbox.link AS link ON asked.code = link.code
    LEFT JOIN outbox.message AS message
        ON link.contact_id = message.contact_id AND link.message_id = message.message_id
),

hit AS (
    INSERT INTO outbox.hit (
        code, contact_id, message_id, at, kind, method, user_agent, purpose, address_hash, hit_key
    )
    SELECT
        code,
        contact_id,
        message_id,
        at,
        kind,
        method,
        user_agent,
        purpose,
        address_hash,
        hit_key
    FROM link
    ORDER BY at
    ON CONFLICT (contact_id, hit_key) DO NOTHING
    RETURNING contact_id, hit_id, hit_key
),

-- What the same visitor does with the same link, now or earlier. Aggregated: of an EXISTS the planner
-- would read all hits there ever were.
judged AS (
    INSERT INTO outbox.verdict (contact_id, hit_id, version, rule)
    SELECT
        hit.contact_id,
        hit.hit_id,
        :version,
        outbox.rule_of(
            link.kind,
            done.is_pressed,
            done.is_touched,
            link.said,
            outbox.leads_away(link.target, link.expires_at, link.at),
            link.at,
            link.accepted_at
        )
    FROM hit
    INNER JOIN link ON hit.hit_key = link.hit_key
    CROSS JOIN
        LATERAL (
            SELECT
                coalesce(bool_or(theirs.kind = 'press'), FALSE) AS is_pressed,
                coalesce(
                    bool_or(outbox.is_touch(theirs.kind, theirs.method, theirs.purpose)), FALSE
                ) AS is_touched
            FROM (
                SELECT
                    earlier.kind,
                    earlier.method,
                    earlier.purpose
                FROM outbox.hit AS earlier
                WHERE
                    earlier.contact_id = link.contact_id
                    AND earlier.code = link.code
                    AND earlier.address_hash = link.address_hash
                    AND earlier.user_agent = link.user_agent
                UNION ALL
                SELECT
                    other.kind,
                    other.method,
                    other.purpose
                FROM link AS other
                WHERE
                    other.code = link.code
                    AND other.address_hash = link.address_hash
                    AND other.user_agent = link.user_agent
            ) AS theirs
            WHERE link.address_hash <> ''
        ) AS done
),

-- A press or a touch says that what the same visitor fetched before was fetched by a person.
confirmed AS (
    UPDATE outbox.verdict AS verdict
    SET rule = 'confirmed', version = :version
    FROM link
    INNER JOIN outbox.hit AS earlier ON link.contact_id = earlier.contact_id
    WHERE
        link.address_hash <> ''
        AND earlier.code = link.code
        AND earlier.kind = 'view'
        AND earlier.address_hash = link.address_hash
        AND earlier.user_agent = link.user_agent
        AND verdict.contact_id = earlier.contact_id
        AND verdict.hit_id = earlier.hit_id
        AND (
            link.kind = 'press'
            OR (
                outbox.is_touch(link.kind, link.method, link.purpose)
                AND NOT outbox.says_machine(verdict.rule)
            )
        )
)

SELECT
    link.hit_key,
    link.contact_id,
    link.message_id,
    link.target,
    link.expires_at,
    link.step,
    link.phone_hash,
    contact.language,
    contact.country,
    coupon.code AS coupon_code,
    CAST(coupon.kind AS text) AS coupon_kind,
    coupon.value AS coupon_value,
    coupon.minimum AS coupon_minimum,
    coupon.starts_at AS coupon_starts_at,
    coupon.expires_at AS coupon_expires_at,
    coupon.redeemed_at AS coupon_redeemed_at,
    incentive.code AS incentive_code,
    CAST(incentive.kind AS text) AS incentive_kind,
    incentive.value AS incentive_value,
    incentive.minimum AS incentive_minimum,
    incentive.starts_at AS incentive_starts_at,
    incentive.expires_at AS incentive_expires_at,
    incentive.redeemed_at AS incentive_redeemed_at,
    said.answers,
    said.ticket,
    said.place,
    said.is_opted_out,
    said.paused_until,
    contest.commitment AS draw_commitment,
    contest.drawn_at AS draw_drawn_at,
    contest.winners AS draw_winners,
    core.person(link.contact_id, contact.merged_into) AS person_id,
    EXISTS(SELECT 1 FROM core.product) AS has_products,
    hit.hit_id IS NOT NULL AS is_new
FROM link
LEFT JOIN core.contact AS contact ON link.contact_id = contact.contact_id
LEFT JOIN LATERAL (
    SELECT
        given.code,
        given.kind,
        given.value,
        given.minimum,
        given.starts_at,
        given.expires_at,
        given.redeemed_at
    FROM outbox.coupon AS given
    WHERE
        given.message_id = link.message_id
        AND given.contact_id = link.contact_id
        AND given.role = 'coupon'
    ORDER BY given.code
    LIMIT 1
) AS coupon ON TRUE
LEFT JOIN LATERAL (
    SELECT
        given.code,
        given.kind,
        given.value,
        given.minimum,
        given.starts_at,
        given.expires_at,
        given.redeemed_at
    FROM outbox.coupon AS given
    WHERE
        given.message_id = link.message_id
        AND given.contact_id = link.contact_id
        AND given.role = 'incentive'
    ORDER BY given.code
    LIMIT 1
) AS incentive ON TRUE
LEFT JOIN outbox.drawing AS contest ON contest.contest = CAST(:contests AS jsonb) ->> link.step
LEFT JOIN hit ON link.hit_key = hit.hit_key
CROSS JOIN
    LATERAL outbox.said(
        link.contact_id,
        link.message_id,
        link.phone_hash,
        CAST(:contests AS jsonb) ->> link.step,
        :channel
    ) AS said;
