-- Keep core.contact_activity up from the load's own interactions. What came in under an id that
-- several cards share makes them all not quiet, and counts for none of them. Contacts of the
-- temporary table corrected are left to redo_activity.
-- Grain: contact. Reads: the temporary tables arrived and corrected, core.contact, core.restraint.
-- Writes: core.contact_activity. Parameters: load_id, signals.
-- Twice in one load would count purchases twice: core.take runs it in the transaction that marks
-- the load as loaded, so it runs once.
WITH lived AS (
    SELECT
        arrived.contact_id,
        arrived.kind,
        arrived.dated_on,
        TRUE AS is_own
    FROM arrived
    UNION ALL
    SELECT
        restraint.contact_id,
        shared.kind,
        shared.dated_on,
        FALSE
    FROM (
        SELECT
            arrived.contact_id,
            arrived.kind,
            max(arrived.dated_on) AS dated_on
        FROM arrived
        GROUP BY arrived.contact_id, arrived.kind
    ) AS shared
    INNER JOIN core.restraint AS restraint ON shared.contact_id = restraint.by_contact_id
    WHERE restraint.hold = 'whole'
),

fresh AS (
    SELECT
        lived.contact_id,
        max(lived.dated_on) FILTER (WHERE lived.kind = 'purchase') AS last_purchase_on,
        max(lived.dated_on) FILTER (WHERE lived.kind = 'visit') AS last_visit_on,
        max(lived.dated_on) FILTER (WHERE lived.kind = 'loyalty') AS last_loyalty_on,
        max(lived.dated_on) FILTER (WHERE lived.kind = 'email_open') AS last_email_open_on,
        max(lived.dated_on) FILTER (WHERE lived.kind = 'email_click') AS last_email_click_on,
        max(lived.dated_on) FILTER (WHERE lived.kind = 'reply') AS last_reply_on,
        max(lived.dated_on) FILTER (WHERE lived.kind = 'login') AS last_login_on,
        max(lived.dated_on) FILTER (
            WHERE lived.kind = ANY(CAST(:signals AS core.interaction_kind[]))
        ) AS last_signal_on,
        min(lived.dated_on) FILTER (WHERE lived.is_own AND lived.kind <> 'refund')
            AS first_interaction_on,
        count(*) FILTER (WHERE lived.kind = 'purchase' AND lived.is_own) AS purchases,
        array_agg(DISTINCT lived.dated_on) FILTER (WHERE lived.kind = 'purchase' AND lived.is_own)
            AS bought_on
    FROM lived
    WHERE
        NOT EXISTS (
            SELECT 1
            FROM corrected
            WHERE corrected.contact_id = lived.contact_id
        )
    GROUP BY lived.contact_id
),

touched AS (
    SELECT
        fresh.*,
        activity.last_purchase_on AS known_purchase_on,
        activity.purchase_gaps AS known_gaps,
        fresh.last_purchase_on - activity.last_purchase_on AS gap
    FROM fresh
    INNER JOIN core.contact_activity AS activity ON fresh.contact_id = activity.contact_id
),

spaced AS (
    SELECT
        touched.*,
        CASE
            WHEN
                touched.bought_on IS NULL
                OR touched.gap = 0
                OR (touched.gap IS NULL AND cardinality(touched.bought_on) = 1)
                THEN touched.known_gaps
            -- One more day with a purchase, as nearly always: its gap goes to its place in the order.
            WHEN cardinality(touched.bought_on) = 1
                THEN
                    touched.known_gaps[1:width_bucket(touched.gap, touched.known_gaps)]
                    || touched.gap
                    || touched.known_gaps[
                        width_bucket(touched.gap, touched.known_gaps)
                        + 1:cardinality(touched.known_gaps)
                    ]
            ELSE ARRAY(
                SELECT apart.days
                FROM (
                    SELECT
                        bought.on_day - lag(bought.on_day, 1, touched.known_purchase_on) OVER (
                            ORDER BY bought.on_day
                        ) AS days
                    FROM unnest(touched.bought_on) AS bought (on_day)
                    UNION ALL
                    SELECT known.days FROM unnest(touched.known_gaps) AS known (days)
                ) AS apart
                WHERE apart.days > 0
                ORDER BY apart.days
            )
        END AS purchase_gaps
    FROM touched
)

UPDATE core.contact_activity AS activity
SET
    last_purchase_on = greatest(activity.last_purchase_on, spaced.last_purchase_on),
    last_visit_on = greatest(activity.last_visit_on, spaced.last_visit_on),
    last_loyalty_on = greatest(activity.last_loyalty_on, spaced.last_loyalty_on),
    last_email_open_on = greatest(activity.last_email_open_on, spaced.last_email_open_on),
    last_email_click_on = greatest(activity.last_email_click_on, spaced.last_email_click_on),
    last_reply_on = greatest(activity.last_reply_on, spaced.last_reply_on),
    last_login_on = greatest(activity.last_login_on, spaced.last_login_on),
    last_signal_on = greatest(activity.last_signal_on, spaced.last_signal_on),
    first_interaction_on = least(activity.first_interaction_on, spaced.first_interaction_on),
    visible_on = CASE
        WHEN
            spaced.first_interaction_on IS NULL
            OR spaced.first_interaction_on >= activity.first_interaction_on
            THEN activity.visible_on
        ELSE (
            SELECT least(contact.created_on, spaced.first_interaction_on)
            FROM core.contact AS contact
            WHERE contact.contact_id = spaced.contact_id
        )
    END,
    purchases = activity.purchases + spaced.purchases,
    purchase_gaps = spaced.purchase_gaps,
    median_days_between_purchases = (
        spaced.purchase_gaps[(cardinality(spaced.purchase_gaps) + 1) / 2]
        + spaced.purchase_gaps[cardinality(spaced.purchase_gaps) / 2 + 1]
    ) / 2.0,
    updated_load_id = :load_id
FROM spaced
WHERE activity.contact_id = spaced.contact_id;
