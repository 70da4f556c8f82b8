-- A sign of life (a signal, or a human hit, after the journey gave up) lifts `inactivity` and makes
-- the contact active again. Nothing but the person lifts an opt-out.
-- Grain: suppression of reason inactivity. Reads: core.contact_activity, outbox.judged_hit,
-- outcome.contact_outcome. Writes: core.suppression, core.contact. Parameters: at.
-- Twice: a lifted suppression is not looked at again.
WITH given_up AS (
    SELECT
        suppression.contact_id,
        max(episode.closed_on) AS closed_on,
        max(suppression.since) AS since
    FROM core.suppression AS suppression
    INNER JOIN cohort.episode AS episode ON suppression.contact_id = episode.contact_id
    WHERE suppression.reason = 'inactivity' AND suppression.lifted_at IS NULL
    GROUP BY suppression.contact_id
),

revived AS (
    SELECT given_up.contact_id
    FROM given_up
    INNER JOIN core.contact_activity AS activity ON given_up.contact_id = activity.contact_id
    WHERE
        activity.last_signal_on > given_up.closed_on
        OR EXISTS (
            SELECT 1
            FROM outbox.judged_hit AS hit
            WHERE
                hit.contact_id = given_up.contact_id
                AND hit.verdict = 'human'
                AND hit.at > given_up.since
        )
),

lifted AS (
    UPDATE core.suppression AS suppression
    SET lifted_at = :at
    FROM revived
    WHERE
        suppression.contact_id = revived.contact_id
        AND suppression.reason = 'inactivity'
        AND suppression.lifted_at IS NULL
)

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
            AND suppression.reason = 'opted_out'
            AND suppression.lifted_at IS NULL
    );
