-- Since when contacts are quiet, and when they reach the first step: those that loads have touched,
-- and those that are named. Returns how many are new to the journey.
--
-- Every clock of the policy runs for a contact: from the last of its signals, from the day the
-- contact became visible, or from the end of the cooldown after an episode that closed as active.
-- The one that reaches its first step first counts; while an episode is open, the one that opened it.
-- A clock whose episode is over waits for its next signal.
--
-- Grain: contact. Reads: core.contact_activity, core.contact, cohort.episode. Writes: cohort.dormancy.
-- Parameters: after_load_id, contact_ids, clocks, pace, cooldown_days. Twice: the same values.
WITH clock AS (
    SELECT
        known.behaviour,
        known.signals,
        known.days,
        known.place,
        count(*) OVER () AS clocks
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

ticking AS (
    SELECT
        activity.contact_id,
        clock.behaviour,
        clock.place,
        clock.clocks,
        quiet.dormant_since,
        own.pace,
        quiet.dormant_since + greatest(1, CAST(round(clock.days * own.pace) AS integer)) AS reaches_on
    FROM core.contact_activity AS activity
    INNER JOIN core.contact AS contact ON activity.contact_id = contact.contact_id
    LEFT JOIN cohort.dormancy AS dormancy ON activity.contact_id = dormancy.contact_id
    CROSS JOIN clock
    CROSS JOIN bend
    CROSS JOIN
        LATERAL (
            SELECT core.last_of(activity, clock.signals) AS last_on
        ) AS signal
    CROSS JOIN
        LATERAL (
            SELECT
                CASE
                    WHEN dormancy.active_closed_on >= coalesce(signal.last_on, '-infinity')
                        THEN dormancy.active_closed_on + CAST(:cooldown_days AS integer)
                    ELSE coalesce(signal.last_on, activity.visible_on)
                END AS dormant_since
        ) AS quiet
    CROSS JOIN
        LATERAL (
            SELECT
                CASE
                    WHEN
                        'purchase' = ANY(clock.signals)
                        AND cardinality(activity.purchase_gaps) >= bend.purchases - 1
                        THEN
                            least(
                                bend.at_most_days,
                                greatest(
                                    bend.at_least_days,
                                    activity.purchase_gaps[
                                        greatest(
                                            1,
                                            CAST(
                                                ceil(
                                                    bend.quantile
                                                    * cardinality(activity.purchase_gaps)
                                                ) AS integer
                                            )
                                        )
                                    ]
                                )
                            ) / clock.days
                    ELSE
                        coalesce(
                            CAST(bend.lifecycle ->> contact.lifecycle_class AS double precision), 1
                        )
                END AS pace
        ) AS own
    WHERE
        activity.updated_load_id > :after_load_id
        OR activity.contact_id = ANY(CAST(:contact_ids AS bigint[]))
),

chosen AS (
    SELECT DISTINCT ON (ticking.contact_id)
        ticking.contact_id,
        ticking.behaviour,
        ticking.dormant_since,
        ticking.pace,
        CASE WHEN ladder.state <> 'over' THEN ticking.reaches_on END AS reaches_on
    FROM ticking
    -- Of a single clock there is nothing to choose, and nothing to look up.
    CROSS JOIN
        LATERAL (
            SELECT
                CASE
                    WHEN ticking.clocks = 1 THEN 'free'
                    ELSE coalesce(
                        (
                            SELECT
                                CASE
                                    WHEN episode.closed_on IS NULL AND episode.behaviour = ticking.behaviour
                                        THEN 'climbing'
                                    WHEN
                                        episode.returned_on IS NOT NULL
                                        AND episode.behaviour = ticking.behaviour
                                        THEN 'free'
                                    ELSE 'over'
                                END
                            FROM cohort.episode AS episode
                            WHERE
                                episode.contact_id = ticking.contact_id
                                AND episode.dormant_since = ticking.dormant_since
                        ), 'free'
                    )
                END AS state
        ) AS ladder
    ORDER BY
        ticking.contact_id ASC,
        ladder.state = 'climbing' DESC,
        ladder.state = 'over' ASC,
        ticking.reaches_on ASC,
        ticking.place ASC
),

written AS (
    INSERT INTO cohort.dormancy AS dormancy (
        contact_id, behaviour, dormant_since, pace, reaches_on
    )
    SELECT
        chosen.contact_id,
        chosen.behaviour,
        chosen.dormant_since,
        chosen.pace,
        chosen.reaches_on
    FROM chosen
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
        )
        -- A row that was updated carries the transaction that did it; a new one does not.
    RETURNING dormancy.xmax = 0 AS is_new
)

SELECT count(*) FILTER (WHERE written.is_new) AS new_contacts FROM written;
