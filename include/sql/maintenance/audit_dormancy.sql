-- Which columns of cohort.dormancy are not what the contact's dates and the ladder say: the clock
-- that counts, since when it runs, the contact's pace, and when it reaches the first step.
-- Contacts that a load has touched since the last decided day are left out. When an episode last
-- closed as active is taken as it is: nothing else says it.
-- Grain: contact that differs. Reads: core.contact_activity, core.contact, cohort.dormancy,
-- cohort.episode. Parameters: after_contact_id, through_contact_id, share, seed, last_load_id,
-- clocks, pace, cooldown_days. Writes nothing.
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

kept AS (
    SELECT dormancy.*
    FROM cohort.dormancy AS dormancy
    WHERE
        dormancy.contact_id > :after_contact_id
        AND dormancy.contact_id <= :through_contact_id
        AND (hashint8extended(dormancy.contact_id, CAST(:seed AS bigint)) & 1048575)
        < CAST(:share AS double precision) * 1048576
),

followed AS (
    SELECT
        activity.contact_id,
        activity.visible_on,
        activity.purchase_gaps,
        activity.last_purchase_on,
        activity.last_visit_on,
        activity.last_loyalty_on,
        activity.last_email_open_on,
        activity.last_email_click_on,
        activity.last_reply_on,
        activity.last_login_on,
        contact.lifecycle_class,
        contact.merged_into IS NULL AND contact.status <> 'erased' AS is_somebody
    FROM core.contact_activity AS activity
    INNER JOIN core.contact AS contact ON activity.contact_id = contact.contact_id
    WHERE
        activity.contact_id > :after_contact_id
        AND activity.contact_id <= :through_contact_id
        AND activity.updated_load_id <= :last_load_id
        AND (hashint8extended(activity.contact_id, CAST(:seed AS bigint)) & 1048575)
        < CAST(:share AS double precision) * 1048576
),

paced AS (
    SELECT
        followed.contact_id,
        followed.is_somebody,
        clock.behaviour,
        clock.place,
        clock.days,
        clock.clocks,
        CASE
            WHEN kept.active_closed_on >= coalesce(last.signal_on, '-infinity')
                THEN kept.active_closed_on + CAST(:cooldown_days AS integer)
            ELSE coalesce(last.signal_on, followed.visible_on)
        END AS dormant_since,
        CASE
            WHEN
                'purchase' = ANY(clock.signals)
                AND cardinality(followed.purchase_gaps) >= bend.purchases - 1
                THEN
                    least(
                        bend.at_most_days,
                        greatest(
                            bend.at_least_days,
                            followed.purchase_gaps[
                                greatest(
                                    1,
                                    CAST(
                                        ceil(bend.quantile * cardinality(followed.purchase_gaps))
                                        AS integer
                                    )
                                )
                            ]
                        )
                    ) / clock.days
            ELSE
                coalesce(
                    CAST(bend.lifecycle ->> followed.lifecycle_class AS double precision), 1
                )
        END AS pace
    FROM followed
    LEFT JOIN kept ON followed.contact_id = kept.contact_id
    CROSS JOIN clock
    CROSS JOIN bend
    CROSS JOIN LATERAL (
        SELECT
            core.last_on(
                clock.signals,
                followed.last_purchase_on,
                followed.last_visit_on,
                followed.last_loyalty_on,
                followed.last_email_open_on,
                followed.last_email_click_on,
                followed.last_reply_on,
                followed.last_login_on
            ) AS signal_on
    ) AS last
),

-- What an episode says of its clock: climbing while it is open, over once it has ended without a
-- return. Of a single clock there is nothing to choose.
placed AS (
    SELECT
        paced.contact_id,
        paced.is_somebody,
        paced.behaviour,
        paced.place,
        paced.dormant_since,
        paced.pace,
        paced.dormant_since
        + greatest(1, CAST(round(paced.days * paced.pace) AS integer)) AS reaches_on,
        episode.contact_id IS NOT NULL AS has_episode,
        CASE
            WHEN paced.clocks = 1 OR episode.contact_id IS NULL THEN 'free'
            WHEN episode.behaviour <> paced.behaviour THEN 'over'
            WHEN episode.closed_on IS NULL THEN 'climbing'
            WHEN episode.returned_on IS NOT NULL THEN 'free'
            ELSE 'over'
        END AS state
    FROM paced
    LEFT JOIN cohort.episode AS episode
        ON paced.contact_id = episode.contact_id AND paced.dormant_since = episode.dormant_since
),

anew AS (
    SELECT DISTINCT ON (placed.contact_id)
        placed.contact_id,
        placed.is_somebody,
        placed.behaviour,
        placed.dormant_since,
        placed.pace,
        placed.has_episode,
        CASE WHEN placed.state <> 'over' THEN placed.reaches_on END AS reaches_on
    FROM placed
    ORDER BY
        placed.contact_id ASC,
        placed.state = 'climbing' DESC,
        placed.state = 'over' ASC,
        placed.reaches_on ASC,
        placed.place ASC
),

compared AS (
    SELECT
        anew.contact_id,
        CASE
            WHEN kept.contact_id IS NULL THEN '{(missing)}'
            ELSE array_remove(
                ARRAY[
                    CASE WHEN kept.behaviour <> anew.behaviour THEN 'behaviour' END,
                    CASE WHEN kept.dormant_since <> anew.dormant_since THEN 'dormant_since' END,
                    CASE WHEN kept.pace <> anew.pace THEN 'pace' END,
                    -- Empty once the episode was opened, or for whom none is ever opened.
                    CASE
                        WHEN
                            kept.reaches_on <> anew.reaches_on
                            OR (kept.reaches_on IS NOT NULL AND anew.reaches_on IS NULL)
                            OR (
                                kept.reaches_on IS NULL
                                AND anew.reaches_on IS NOT NULL
                                AND anew.is_somebody
                                AND NOT anew.has_episode
                            )
                            THEN 'reaches_on'
                    END
                ], NULL
            )
        END AS column_names
    FROM anew
    LEFT JOIN kept ON anew.contact_id = kept.contact_id
    UNION ALL
    SELECT
        kept.contact_id,
        '{(no contact)}'
    FROM kept
    LEFT JOIN core.contact AS contact ON kept.contact_id = contact.contact_id
    WHERE contact.contact_id IS NULL
)

SELECT
    compared.contact_id,
    compared.column_names
FROM compared
WHERE cardinality(compared.column_names) > 0
ORDER BY compared.contact_id;
