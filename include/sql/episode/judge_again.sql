-- Give closed episodes the outcome that their close would have written, by today's verdicts on the hits
-- up to then, and by receipts, stops and corrections as they were then: of contacts whose links were
-- followed. What was decided and sent stays, and so does the day on which it closed. Who clicked after
-- all is left in peace for the cooldown. Whose last giving up would not have been is marked in touched,
-- for episode/lift_inactivity.
-- Grain: episode; returns one row: how many are active now and no longer are, of the others how many
-- are too little to tell now and no longer are, how many only have another first click, and whose
-- dormancy is to be worked out (contact_ids). Reads: the temporary table touched, outbox.hit_of_episode,
-- core.contact. Writes: outcome.contact_outcome, cohort.episode, cohort.dormancy, the temporary tables
-- touched and followed. No parameters. Twice: nothing is left to follow.
DROP TABLE IF EXISTS followed;

CREATE TEMPORARY TABLE followed ON COMMIT DROP AS
WITH opened AS (
    SELECT
        ended.contact_id,
        ended.dormant_since,
        min(hit.at) FILTER (WHERE hit.verdict = 'human') AS first_at,
        bool_or(hit.verdict = 'unsure') AS is_unsure
    FROM touched
    INNER JOIN outcome.contact_outcome AS ended ON touched.contact_id = ended.contact_id
    INNER JOIN outbox.hit_of_episode AS hit
        ON
            ended.contact_id = hit.contact_id
            AND ended.dormant_since = hit.dormant_since
            AND hit.at <= ended.closed_at
    GROUP BY ended.contact_id, ended.dormant_since
),

latest AS (
    SELECT
        touched.contact_id,
        max(episode.dormant_since) AS dormant_since
    FROM touched
    INNER JOIN cohort.episode AS episode ON touched.contact_id = episode.contact_id
    GROUP BY touched.contact_id
),

judged AS (
    SELECT
        ended.contact_id,
        ended.dormant_since,
        ended.outcome AS former,
        ended.first_open_at AS former_open_at,
        outcome.by_hits(
            ended.if_unopened, opened.first_at, coalesce(opened.is_unsure, FALSE)
        ) AS outcome,
        opened.first_at AS first_open_at,
        coalesce(ended.dormant_since >= latest.dormant_since, TRUE) AS is_latest
    FROM touched
    INNER JOIN outcome.contact_outcome AS ended ON touched.contact_id = ended.contact_id
    LEFT JOIN opened
        ON ended.contact_id = opened.contact_id AND ended.dormant_since = opened.dormant_since
    LEFT JOIN latest ON ended.contact_id = latest.contact_id
    WHERE ended.closed_at IS NOT NULL
)

SELECT
    judged.contact_id,
    judged.dormant_since,
    judged.former,
    judged.outcome,
    judged.first_open_at,
    judged.is_latest
FROM judged
WHERE
    judged.former <> judged.outcome
    OR judged.former_open_at IS DISTINCT FROM judged.first_open_at;

ANALYZE followed;

UPDATE outcome.contact_outcome AS ended
SET outcome = followed.outcome, first_open_at = followed.first_open_at
FROM followed
WHERE
    ended.contact_id = followed.contact_id
    AND ended.dormant_since = followed.dormant_since;

UPDATE cohort.episode AS episode
SET is_opened = followed.first_open_at IS NOT NULL
FROM followed
WHERE
    episode.contact_id = followed.contact_id
    AND episode.dormant_since = followed.dormant_since
    AND episode.is_opened <> (followed.first_open_at IS NOT NULL);

-- The cooldown, unless a newer episode has begun: that one says since when they are quiet.
DROP TABLE IF EXISTS cooling;

CREATE TEMPORARY TABLE cooling ON COMMIT DROP AS
WITH card AS (
    SELECT
        followed.contact_id,
        theirs.contact_id AS card_id
    FROM followed
    INNER JOIN core.person_contact AS theirs ON followed.contact_id = theirs.person_id
    WHERE followed.is_latest AND (followed.former = 'active') <> (followed.outcome = 'active')
)

SELECT
    card.contact_id,
    max(episode.closed_on) FILTER (WHERE ended.outcome = 'active') AS closed_on
FROM card
LEFT JOIN outcome.contact_outcome AS ended ON card.card_id = ended.contact_id
LEFT JOIN cohort.episode AS episode
    ON
        ended.contact_id = episode.contact_id
        AND ended.dormant_since = episode.dormant_since
GROUP BY card.contact_id;

UPDATE cohort.dormancy AS dormancy
SET active_closed_on = cooling.closed_on
FROM cooling
WHERE dormancy.contact_id = cooling.contact_id;

UPDATE touched
SET is_acquitted = TRUE
FROM followed
LEFT JOIN outcome.contact_outcome AS later
    ON
        followed.contact_id = later.contact_id
        AND later.outcome = 'unsubscribed'
        AND later.dormant_since > followed.dormant_since
WHERE
    touched.contact_id = followed.contact_id
    AND followed.former = 'unsubscribed'
    AND later.contact_id IS NULL;

SELECT
    count(*) FILTER (WHERE followed.outcome = 'active' AND followed.former <> 'active') AS active,
    count(*) FILTER (WHERE followed.outcome <> 'active' AND followed.former = 'active') AS not_active,
    count(*) FILTER (
        WHERE followed.outcome = 'unreachable' AND followed.former = 'unsubscribed'
    ) AS unsure,
    count(*) FILTER (
        WHERE followed.outcome = 'unsubscribed' AND followed.former = 'unreachable'
    ) AS not_unsure,
    count(*) FILTER (WHERE followed.outcome = followed.former) AS first_opens,
    coalesce(
        array_agg(followed.contact_id)
        FILTER (
            WHERE
            followed.is_latest
            AND (followed.former = 'active') <> (followed.outcome = 'active')
        ), '{}'
    ) AS contact_ids
FROM followed;
