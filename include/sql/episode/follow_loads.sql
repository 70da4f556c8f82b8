-- Since when contacts are quiet, and when they reach the first step: those that loads have touched,
-- and those that are named. Returns how many are new to the journey.
--
-- Every clock of the policy runs for a contact: from the last of its signals, from the day the
-- contact became visible, or from the end of the cooldown after an episode that closed as active.
-- The one that reaches its first step first counts; while an episode is open, the one that opened it.
-- A clock whose episode is over waits for its next signal.
--
-- Grain: contact. Reads: core.contact_activity, core.contact, cohort.episode. Writes: cohort.dormancy,
-- the temporary table quiet. Parameters: after_load_id, contact_ids, clocks, pace, cooldown_days.
-- Twice: the same values.
DROP TABLE IF EXISTS quiet;

CREATE TEMPORARY TABLE quiet ON COMMIT DROP AS
WITH clock AS (
    SELECT
        known.behaviour,
        known.signals,
        known.days,
        known.place
    FROM
        jsonb_to_recordset(CAST(:clocks AS jsonb)) AS known (
            behaviour text, signals core.interaction_kind[], days double precision, place integer
        )
),

bend AS (
    SELECT
        CAST(:pace AS jsonb) -> 'lifecycle' AS lifecycle,
        rhythm.quantile,
        rhythm.purchases,
        rhythm.at_least_days,
        rhythm.at_most_days
    FROM
        jsonb_to_record(coalesce(nullif(CAST(:pace AS jsonb) -> 'rhythm', 'null'), '{}')) AS rhythm (
            quantile double precision,
            purchases integer,
            at_least_days double precision,
            at_most_days double precision
        )
),

signalled AS (
    SELECT
        activity.contact_id,
        activity.visible_on,
        activity.purchase_gaps,
        contact.lifecycle_class,
        dormancy.active_closed_on,
        dormancy.contact_id IS NULL AS is_new,
        clock.behaviour,
        clock.signals,
        clock.days,
        clock.place,
        core.last_on(
            clock.signals,
            activity.last_purchase_on,
            activity.last_visit_on,
            activity.last_loyalty_on,
            activity.last_email_open_on,
            activity.last_email_click_on,
            activity.last_reply_on,
            activity.last_login_on
        ) AS signal_on
    FROM core.contact_activity AS activity
    INNER JOIN core.contact AS contact ON activity.contact_id = contact.contact_id
    LEFT JOIN cohort.dormancy AS dormancy ON activity.contact_id = dormancy.contact_id
    CROSS JOIN clock
    WHERE
        activity.updated_load_id > :after_load_id
        OR activity.contact_id = ANY(CAST(:contact_ids AS bigint[]))
),

ticking AS (
    SELECT
        signalled.contact_id,
        signalled.is_new,
        signalled.behaviour,
        signalled.days,
        signalled.place,
        CASE
            WHEN signalled.active_closed_on >= coalesce(signalled.signal_on, '-infinity')
                THEN signalled.active_closed_on + CAST(:cooldown_days AS integer)
            ELSE coalesce(signalled.signal_on, signalled.visible_on)
        END AS dormant_since,
        CASE
            WHEN
                'purchase' = ANY(signalled.signals)
                AND cardinality(signalled.purchase_gaps) >= bend.purchases - 1
                THEN
                    least(
                        bend.at_most_days,
                        greatest(
                            bend.at_least_days,
                            signalled.purchase_gaps[
                                greatest(
                                    1,
                                    CAST(
                                        ceil(
                                            bend.quantile * cardinality(signalled.purchase_gaps)
                                        ) AS integer
                                    )
                                )
                            ]
                        )
                    ) / signalled.days
            ELSE
                coalesce(
                    CAST(bend.lifecycle ->> signalled.lifecycle_class AS double precision), 1
                )
        END AS pace
    FROM signalled
    CROSS JOIN bend
),

placed AS (
    SELECT
        ticking.contact_id,
        ticking.is_new,
        ticking.behaviour,
        ticking.place,
        ticking.dormant_since,
        ticking.pace,
        ticking.dormant_since + cohort.rung_days(ticking.days, ticking.pace) AS reaches_on,
        CASE
            WHEN episode.contact_id IS NULL THEN 'free'
            WHEN episode.behaviour <> ticking.behaviour THEN 'over'
            WHEN episode.closed_on IS NULL THEN 'climbing'
            WHEN episode.returned_on IS NOT NULL THEN 'free'
            ELSE 'over'
        END AS state
    FROM ticking
    -- Of a single clock there is nothing to choose, and nothing to look up.
    LEFT JOIN cohort.episode AS episode
        ON
            ticking.contact_id = episode.contact_id
            AND ticking.dormant_since = episode.dormant_since
            AND jsonb_array_length(CAST(:clocks AS jsonb)) > 1
)

SELECT DISTINCT ON (placed.contact_id)
    placed.contact_id,
    placed.is_new,
    placed.behaviour,
    placed.dormant_since,
    placed.pace,
    CASE WHEN placed.state <> 'over' THEN placed.reaches_on END AS reaches_on
FROM placed
ORDER BY
    placed.contact_id ASC,
    placed.state = 'climbing' DESC,
    placed.state = 'over' ASC,
    placed.reaches_on ASC,
    placed.place ASC;

INSERT INTO cohort.dormancy AS dormancy (
    contact_id, behaviour, dormant_since, pace, reaches_on
)
SELECT
    quiet.contact_id,
    quiet.behaviour,
    quiet.dormant_since,
    quiet.pace,
    quiet.reaches_on
FROM quiet
ON CONFLICT (contact_id) DO UPDATE
    SET
        behaviour = excluded.behaviour,
        dormant_since = excluded.dormant_since,
        pace = excluded.pace,
        reaches_on = CASE
            -- Its episode was opened: it is not opened again.
            WHEN
                dormancy.reaches_on IS NULL
                AND dormancy.dormant_since = excluded.dormant_since
                AND dormancy.behaviour = excluded.behaviour
                THEN NULL
            ELSE excluded.reaches_on
        END
    WHERE
    (dormancy.behaviour, dormancy.dormant_since, dormancy.pace)
    IS DISTINCT FROM (excluded.behaviour, excluded.dormant_since, excluded.pace)
    OR (
        dormancy.reaches_on IS NOT NULL
        AND dormancy.reaches_on IS DISTINCT FROM excluded.reaches_on
    );

SELECT count(*) FILTER (WHERE quiet.is_new) AS new_contacts FROM quiet;
