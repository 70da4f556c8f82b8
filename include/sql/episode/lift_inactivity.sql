-- Lift `inactivity` of those who show a sign of life, and make them active again: by a signal, or a
-- person's hit, that came after they were given up; or as the close that gave them up would not have.
-- Nothing but the person lifts an opt-out. A hit on a text to a card that was merged into them is
-- theirs. A signal counts from the day they were given up for, however late its source brings it; what
-- may be another's brings nobody back.
-- Grain: suppression; returns how many contacts were brought back. Reads: the temporary table touched,
-- core.interaction, core.contact, outbox.judged_hit, outcome.contact_outcome. Writes: core.suppression,
-- core.contact, the temporary tables resting and revived. Parameters: at, signals, time_zone.
-- Twice: a lifted suppression is not looked at again.
DROP TABLE IF EXISTS resting;

CREATE TEMPORARY TABLE resting ON COMMIT DROP AS
SELECT
    suppression.contact_id,
    suppression.suppression_id,
    suppression.since,
    touched.is_acquitted AND suppression.source = 'journey' AS is_acquitted,
    -- Who was given up elsewhere has no episode that says for which day.
    coalesce(
        max(given_up.dormant_since), CAST(suppression.since AT TIME ZONE :time_zone AS date)
    ) AS quiet_since
FROM touched
INNER JOIN core.suppression AS suppression
    ON
        touched.contact_id = suppression.contact_id
        AND suppression.reason = 'inactivity'
        AND suppression.lifted_at IS NULL
LEFT JOIN outcome.contact_outcome AS given_up
    ON
        suppression.contact_id = given_up.contact_id
        AND given_up.outcome = 'unsubscribed'
GROUP BY
    suppression.contact_id,
    suppression.suppression_id,
    suppression.since,
    suppression.source,
    touched.is_acquitted;

ANALYZE resting;

DROP TABLE IF EXISTS revived;

CREATE TEMPORARY TABLE revived ON COMMIT DROP AS
WITH own_signal AS (
    SELECT
        resting.suppression_id,
        TRUE AS is_there
    FROM resting
    INNER JOIN core.interaction AS own
        ON
            resting.contact_id = own.contact_id
            AND own.occurred_on > resting.quiet_since
            AND own.kind = ANY(CAST(:signals AS core.interaction_kind[]))
    GROUP BY resting.suppression_id
),

card AS (
    SELECT
        resting.suppression_id,
        theirs.contact_id,
        resting.since
    FROM resting
    INNER JOIN core.person_contact AS theirs ON resting.contact_id = theirs.person_id
),

opened AS (
    SELECT
        card.suppression_id,
        TRUE AS is_there
    FROM card
    INNER JOIN outbox.judged_hit AS hit
        ON
            card.contact_id = hit.contact_id
            AND hit.at > card.since
            AND hit.verdict = 'human'
    GROUP BY card.suppression_id
)

SELECT
    resting.contact_id,
    resting.suppression_id,
    own_signal.is_there IS NULL AS is_by_open
FROM resting
LEFT JOIN own_signal ON resting.suppression_id = own_signal.suppression_id
LEFT JOIN opened ON resting.suppression_id = opened.suppression_id
WHERE resting.is_acquitted OR own_signal.is_there OR opened.is_there;

UPDATE core.suppression AS suppression
SET lifted_at = :at, is_lifted_by_open = revived.is_by_open
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

SELECT count(DISTINCT revived.contact_id) AS contacts FROM revived;
