-- Make what became of contacts follow the verdicts on their hits: of the contacts whose links were
-- opened in some time.
--
-- A closed episode gets the outcome that its close would have written, by the hits up to then and by
-- receipts, stops and corrections as they were then. What was decided and sent stays, and so does
-- the day on which it closed.
--
-- Who was given up and turns out to have clicked, or that it is too little to tell, is active again;
-- who clicked is left in peace for the cooldown. Who was not given up, because of a hit, is given up only if nothing since speaks for them: no signal
-- after dormant_since, no later human hit, no newer episode, no consent given and no stop taken back
-- since; and only on a contact that is active and nobody else's card. If but a later hit speaks for
-- them, a suppression that is lifted says so, for the day that hit is judged anew. An opt-out is
-- neither written nor lifted.
--
-- Grain: contact; returns one row: how many episodes count as clicked now and no longer do, of the
-- others how many are too little to tell now and no longer are, how many only have another first
-- click, how many contacts were revived and given up, and whose dormancy is to be worked out
-- (contact_ids). Reads: outbox.*, cohort.episode, core.contact_activity,
-- core.consent. Writes: outcome.contact_outcome, cohort.episode, cohort.dormancy, core.suppression,
-- core.contact.
-- Parameters: since, until (exclusive; NULL for no bound), after_contact_id (exclusive),
-- through_contact_id, channel, at. Twice: nothing is left to follow.
DROP TABLE IF EXISTS touched;

CREATE TEMPORARY TABLE touched ON COMMIT DROP AS
SELECT DISTINCT hit.contact_id
FROM outbox.hit AS hit
WHERE
    hit.at >= coalesce(CAST(:since AS timestamptz), '-infinity')
    AND hit.at < coalesce(CAST(:until AS timestamptz), 'infinity')
    AND hit.contact_id > CAST(:after_contact_id AS bigint)
    AND hit.contact_id <= CAST(:through_contact_id AS bigint);

ANALYZE touched;

DROP TABLE IF EXISTS followed;

CREATE TEMPORARY TABLE followed ON COMMIT DROP AS
SELECT
    ended.contact_id,
    ended.dormant_since,
    ended.closed_at,
    ended.outcome AS former,
    outcome.by_hits(ended.if_unopened, opened.first_at, opened.is_unsure) AS outcome,
    opened.first_at AS first_open_at,
    NOT EXISTS (
        SELECT 1
        FROM cohort.episode AS newer
        WHERE
            newer.contact_id = ended.contact_id
            AND newer.dormant_since > ended.dormant_since
    ) AS is_latest
FROM touched
INNER JOIN outcome.contact_outcome AS ended ON touched.contact_id = ended.contact_id
CROSS JOIN
    LATERAL (
        SELECT
            min(hit.at) FILTER (WHERE hit.verdict = 'human') AS first_at,
            coalesce(bool_or(hit.verdict = 'unsure'), FALSE) AS is_unsure
        FROM outbox.message AS message
        INNER JOIN outbox.judged_hit AS hit
            ON message.contact_id = hit.contact_id AND message.message_id = hit.message_id
        WHERE
            message.contact_id = ended.contact_id
            AND message.dormant_since = ended.dormant_since
            AND hit.at <= ended.closed_at
    ) AS opened
WHERE
    ended.closed_at IS NOT NULL
    AND (
        ended.first_open_at IS DISTINCT FROM opened.first_at
        OR ended.outcome <> outcome.by_hits(ended.if_unopened, opened.first_at, opened.is_unsure)
    );

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
UPDATE cohort.dormancy AS dormancy
SET
    active_closed_on = (
        SELECT max(episode.closed_on)
        FROM outcome.contact_outcome AS ended
        INNER JOIN cohort.episode AS episode
            ON
                ended.contact_id = episode.contact_id
                AND ended.dormant_since = episode.dormant_since
        WHERE
            ended.outcome = 'active'
            AND ended.contact_id IN (
                SELECT dormancy.contact_id
                UNION ALL
                SELECT merged.contact_id
                FROM core.contact AS merged
                WHERE merged.merged_into = dormancy.contact_id
            )
    )
FROM followed
WHERE
    dormancy.contact_id = followed.contact_id
    AND followed.is_latest
    AND (followed.former = 'active') <> (followed.outcome = 'active');

DROP TABLE IF EXISTS revived;

CREATE TEMPORARY TABLE revived ON COMMIT DROP AS
SELECT
    suppression.contact_id,
    suppression.suppression_id
FROM touched
INNER JOIN core.suppression AS suppression
    ON
        touched.contact_id = suppression.contact_id
        AND suppression.reason = 'inactivity'
        AND suppression.lifted_at IS NULL
WHERE
    -- The close that gave them up would not have.
    (
        suppression.source = 'journey'
        AND EXISTS (
            SELECT 1
            FROM followed
            WHERE
                followed.contact_id = suppression.contact_id
                AND followed.former = 'unsubscribed'
                AND NOT EXISTS (
                    SELECT 1
                    FROM outcome.contact_outcome AS later
                    WHERE
                        later.contact_id = followed.contact_id
                        AND later.outcome = 'unsubscribed'
                        AND later.dormant_since > followed.dormant_since
                )
        )
    )
    -- As outcome/revive does, on the day.
    OR EXISTS (
        SELECT 1
        FROM outbox.judged_hit AS hit
        WHERE
            hit.contact_id = suppression.contact_id
            AND hit.verdict = 'human'
            AND hit.at > suppression.since
    );

UPDATE core.suppression AS suppression
SET lifted_at = :at, is_lifted_by_open = TRUE
FROM revived
WHERE
    suppression.contact_id = revived.contact_id
    AND suppression.suppression_id = revived.suppression_id;

UPDATE core.contact AS contact
SET status = 'active'
FROM revived
WHERE
    contact.contact_id = revived.contact_id
    AND contact.status = 'unsubscribed'
    AND NOT EXISTS (
        SELECT 1
        FROM core.suppression AS suppression
        WHERE
            suppression.contact_id = contact.contact_id
            AND suppression.reason IN ('opted_out', 'inactivity')
            AND suppression.lifted_at IS NULL
    );

-- Whose last episode gave them up, and whom nothing but a hit has kept, or brought back.
DROP TABLE IF EXISTS given_up;

CREATE TEMPORARY TABLE given_up ON COMMIT DROP AS
SELECT
    contact.contact_id,
    last.closed_at,
    suppressed.is_lifted_by_open IS NOT NULL AS is_noted,
    EXISTS(
        SELECT 1
        FROM outbox.judged_hit AS hit
        WHERE
            hit.contact_id IN (
                SELECT contact.contact_id
                UNION ALL
                SELECT merged.contact_id
                FROM core.contact AS merged
                WHERE merged.merged_into = contact.contact_id
            )
            AND hit.verdict = 'human'
            AND hit.at > last.closed_at
    ) AS has_opened_since
FROM touched
INNER JOIN core.contact AS contact ON touched.contact_id = contact.contact_id
INNER JOIN core.contact_activity AS activity ON touched.contact_id = activity.contact_id
CROSS JOIN
    LATERAL (
        SELECT
            episode.dormant_since,
            ended.outcome,
            ended.closed_at
        FROM cohort.episode AS episode
        LEFT JOIN outcome.contact_outcome AS ended
            ON
                episode.contact_id = ended.contact_id
                AND episode.dormant_since = ended.dormant_since
        WHERE episode.contact_id = touched.contact_id
        ORDER BY episode.dormant_since DESC
        LIMIT 1
    ) AS last
LEFT JOIN
    LATERAL (
        SELECT suppression.is_lifted_by_open
        FROM core.suppression AS suppression
        WHERE
            suppression.contact_id = touched.contact_id
            AND suppression.reason = 'inactivity'
            AND suppression.since <= last.closed_at
            AND suppression.lifted_at >= last.closed_at
        ORDER BY suppression.suppression_id DESC
        LIMIT 1
    ) AS suppressed
    ON TRUE
WHERE
    contact.status = 'active'
    AND contact.merged_into IS NULL
    AND last.outcome = 'unsubscribed'
    AND last.closed_at IS NOT NULL
    AND (
        suppressed.is_lifted_by_open
        OR EXISTS (
            SELECT 1
            FROM followed
            WHERE
                followed.contact_id = touched.contact_id
                AND followed.dormant_since = last.dormant_since
                AND followed.former <> 'unsubscribed'
        )
    )
    AND coalesce(activity.last_signal_on <= last.dormant_since, TRUE)
    AND NOT EXISTS (
        SELECT 1
        FROM core.consent AS consent
        WHERE
            consent.contact_id = touched.contact_id
            AND consent.granted_at > last.closed_at
    )
    AND NOT EXISTS (
        SELECT 1
        FROM core.suppression AS stop
        WHERE
            stop.contact_id = touched.contact_id
            AND stop.reason = 'opted_out'
            AND (stop.lifted_at IS NULL OR stop.lifted_at > last.closed_at)
    );

INSERT INTO core.suppression (
    contact_id, phone_hash, channel, reason, source, since, lifted_at, is_lifted_by_open
)
SELECT
    given_up.contact_id,
    NULL,
    :channel,
    'inactivity',
    'journey',
    given_up.closed_at,
    CASE WHEN given_up.has_opened_since THEN CAST(:at AS timestamptz) END,
    CASE WHEN given_up.has_opened_since THEN TRUE END
FROM given_up
WHERE NOT given_up.has_opened_since OR NOT given_up.is_noted
ON CONFLICT (contact_id, channel, reason, (coalesce(phone_hash, ''))) WHERE lifted_at IS NULL DO NOTHING;

UPDATE core.contact AS contact
SET status = 'unsubscribed'
FROM given_up
WHERE
    contact.contact_id = given_up.contact_id
    AND contact.status = 'active'
    AND NOT given_up.has_opened_since;

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
    (SELECT count(DISTINCT revived.contact_id) FROM revived) AS revived,
    (SELECT count(*) FROM given_up WHERE NOT given_up.has_opened_since) AS given_up,
    coalesce(
        array_agg(followed.contact_id)
        FILTER (
            WHERE
            followed.is_latest
            AND (followed.former = 'active') <> (followed.outcome = 'active')
        ), '{}'
    ) AS contact_ids
FROM followed;
