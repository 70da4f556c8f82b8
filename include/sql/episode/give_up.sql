-- Give up whose last episode says so by today's verdicts, and whom nothing but a hit has kept, or
-- brought back: only if nothing since speaks for them: no signal after dormant_since, no later hit of a
-- person, no newer episode, no consent given and no stop taken back; and only on a contact that is
-- active and nobody else's card. If but a later hit speaks for them, a suppression that is lifted says
-- so, for the day that hit is judged anew. An opt-out is neither written nor lifted.
-- Grain: contact; returns how many are given up. Reads: the temporary tables touched and followed,
-- cohort.episode, outcome.contact_outcome, outbox.judged_hit, core.*. Writes: core.suppression,
-- core.contact, the temporary tables spent and given_up. Parameters: channel, at. Twice: nobody is left.
DROP TABLE IF EXISTS spent;

-- Whose last episode gave them up.
CREATE TEMPORARY TABLE spent ON COMMIT DROP AS
WITH latest AS (
    SELECT
        touched.contact_id,
        max(episode.dormant_since) AS dormant_since
    FROM touched
    INNER JOIN cohort.episode AS episode ON touched.contact_id = episode.contact_id
    GROUP BY touched.contact_id
)

SELECT
    ended.contact_id,
    ended.dormant_since,
    ended.closed_at
FROM latest
INNER JOIN outcome.contact_outcome AS ended
    ON
        latest.contact_id = ended.contact_id
        AND latest.dormant_since = ended.dormant_since
INNER JOIN core.contact AS contact ON ended.contact_id = contact.contact_id
INNER JOIN core.contact_activity AS activity ON ended.contact_id = activity.contact_id
WHERE
    ended.outcome = 'unsubscribed'
    AND ended.closed_at IS NOT NULL
    AND contact.status = 'active'
    AND contact.merged_into IS NULL
    AND coalesce(activity.last_signal_on <= ended.dormant_since, TRUE);

ANALYZE spent;

DROP TABLE IF EXISTS given_up;

CREATE TEMPORARY TABLE given_up ON COMMIT DROP AS
WITH suppressed AS (
    SELECT DISTINCT ON (spent.contact_id)
        spent.contact_id,
        suppression.is_lifted_by_open
    FROM spent
    INNER JOIN core.suppression AS suppression
        ON
            spent.contact_id = suppression.contact_id
            AND suppression.reason = 'inactivity'
            AND suppression.since <= spent.closed_at
            AND suppression.lifted_at >= spent.closed_at
    ORDER BY spent.contact_id ASC, suppression.suppression_id DESC
),

card AS (
    SELECT
        spent.contact_id,
        theirs.contact_id AS card_id,
        spent.closed_at
    FROM spent
    INNER JOIN core.person_contact AS theirs ON spent.contact_id = theirs.person_id
),

opened AS (
    SELECT card.contact_id
    FROM card
    INNER JOIN outbox.judged_hit AS hit
        ON
            card.card_id = hit.contact_id
            AND hit.at > card.closed_at
            AND hit.verdict = 'human'
    GROUP BY card.contact_id
),

agreed AS (
    SELECT spent.contact_id
    FROM spent
    INNER JOIN core.consent_record AS record
        ON
            spent.contact_id = record.contact_id
            AND record.granted_at > spent.closed_at
    GROUP BY spent.contact_id
),

stopped AS (
    SELECT spent.contact_id
    FROM spent
    INNER JOIN core.suppression AS suppression
        ON
            spent.contact_id = suppression.contact_id
            AND suppression.reason = 'opted_out'
            AND coalesce(suppression.lifted_at > spent.closed_at, TRUE)
    GROUP BY spent.contact_id
)

SELECT
    spent.contact_id,
    spent.closed_at,
    suppressed.is_lifted_by_open IS NOT NULL AS is_noted,
    opened.contact_id IS NOT NULL AS has_opened_since
FROM spent
LEFT JOIN followed
    ON
        spent.contact_id = followed.contact_id
        AND spent.dormant_since = followed.dormant_since
LEFT JOIN suppressed ON spent.contact_id = suppressed.contact_id
LEFT JOIN opened ON spent.contact_id = opened.contact_id
LEFT JOIN agreed ON spent.contact_id = agreed.contact_id
LEFT JOIN stopped ON spent.contact_id = stopped.contact_id
WHERE
    (suppressed.is_lifted_by_open OR followed.former <> 'unsubscribed')
    AND agreed.contact_id IS NULL
    AND stopped.contact_id IS NULL;

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

SELECT count(*) FILTER (WHERE NOT given_up.has_opened_since) AS contacts FROM given_up;
