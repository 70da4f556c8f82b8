-- A sign of life (a signal, or a human hit, that came after the journey gave up) lifts `inactivity`
-- and makes the contact active again. Nothing but the person lifts an opt-out.
-- A signal counts from the day the contact was given up for, however late its source brings it.
-- Grain: contact whom loads or hits have touched. Reads: core.contact_activity, core.interaction,
-- outbox.judged_hit, outcome.contact_outcome. Writes: core.suppression, core.contact. Parameters: after_load_id,
-- after, at, signals. Twice: a lifted suppression is not looked at again.
WITH touched AS (
    SELECT activity.contact_id
    FROM core.contact_activity AS activity
    WHERE activity.updated_load_id > :after_load_id
    UNION
    -- A day more, for the hits that were being written while the day was decided.
    SELECT hit.contact_id
    FROM outbox.hit AS hit
    WHERE hit.at > CAST(:after AS timestamptz) - interval '1 day'
),

revived AS (
    SELECT DISTINCT
        suppression.contact_id,
        back.is_signal
    FROM touched
    INNER JOIN core.suppression AS suppression
        ON
            touched.contact_id = suppression.contact_id
            AND suppression.reason = 'inactivity'
            AND suppression.lifted_at IS NULL
    INNER JOIN core.contact_activity AS activity ON touched.contact_id = activity.contact_id
    CROSS JOIN
        LATERAL (
            SELECT
                coalesce(
                    activity.last_signal_on > (
                        SELECT max(given_up.dormant_since)
                        FROM outcome.contact_outcome AS given_up
                        WHERE
                            given_up.contact_id = touched.contact_id
                            AND given_up.outcome = 'unsubscribed'
                    ), FALSE
                )
                -- What may be another's brings nobody back.
                AND EXISTS (
                    SELECT 1
                    FROM core.interaction AS own
                    WHERE
                        own.contact_id = touched.contact_id
                        AND own.occurred_on > (
                            SELECT max(given_up.dormant_since)
                            FROM outcome.contact_outcome AS given_up
                            WHERE
                                given_up.contact_id = touched.contact_id
                                AND given_up.outcome = 'unsubscribed'
                        )
                        AND own.kind = ANY(CAST(:signals AS core.interaction_kind[]))
                ) AS is_signal
        ) AS back
    WHERE
        back.is_signal
        OR EXISTS (
            SELECT 1
            FROM outbox.judged_hit AS hit
            WHERE
                hit.contact_id = touched.contact_id
                AND hit.verdict = 'human'
                AND hit.at > suppression.since
        )
),

lifted AS (
    UPDATE core.suppression AS suppression
    SET lifted_at = :at, is_lifted_by_open = NOT revived.is_signal
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
