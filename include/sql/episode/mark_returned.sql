-- Note the first signal after dormant_since on open episodes of contacts that loads have touched;
-- a signal that its source took back is forgotten again. An episode of one behaviour ends by the
-- signals of that behaviour.
-- Grain: episode. Reads: core.contact_activity, core.sign_of_life. Writes: cohort.episode.
-- Parameters: after_load_id, clocks, signals (where the clock is gone). Twice: the same dates.
UPDATE cohort.episode AS episode
SET returned_on = back.returned_on
FROM (
    SELECT
        touched.contact_id,
        touched.dormant_since,
        (
            SELECT min(sign.occurred_on)
            FROM core.sign_of_life AS sign
            WHERE
                sign.contact_id = touched.contact_id
                AND sign.occurred_on > touched.dormant_since
                AND sign.kind
                = ANY(coalesce(clock.signals, CAST(:signals AS core.interaction_kind[])))
        ) AS returned_on
    FROM cohort.episode AS touched
    INNER JOIN core.contact_activity AS activity ON touched.contact_id = activity.contact_id
    LEFT JOIN
        jsonb_to_recordset(CAST(:clocks AS jsonb)) AS clock (
            behaviour text, signals core.interaction_kind[]
        )
        ON touched.behaviour = clock.behaviour
    WHERE
        touched.closed_on IS NULL
        AND activity.updated_load_id > :after_load_id
        -- Nobody else has come back, or was noted as if.
        AND (
            touched.returned_on IS NOT NULL
            OR core.last_on(
                coalesce(clock.signals, CAST(:signals AS core.interaction_kind[])),
                activity.last_purchase_on,
                activity.last_visit_on,
                activity.last_loyalty_on,
                activity.last_email_open_on,
                activity.last_email_click_on,
                activity.last_reply_on,
                activity.last_login_on
            ) > touched.dormant_since
        )
) AS back
WHERE
    episode.contact_id = back.contact_id
    AND episode.dormant_since = back.dormant_since
    AND episode.returned_on IS DISTINCT FROM back.returned_on;
