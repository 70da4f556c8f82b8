-- Bare: the last dates of the contacts of the day's interactions, and since when they are quiet.
-- Grain: contact. Reads: raw.interaction, core.contact_identity. Writes: core.contact_activity,
-- cohort.dormancy. Parameters: load_id, signals, after_days.
-- Twice would count purchases twice: it is rolled back, always.
WITH fresh AS (
    SELECT
        identity.contact_id,
        max(row.dated_on) FILTER (WHERE row.kind = 'purchase') AS last_purchase_on,
        max(row.dated_on) FILTER (WHERE row.kind = 'visit') AS last_visit_on,
        max(row.dated_on) FILTER (WHERE row.kind = 'loyalty') AS last_loyalty_on,
        max(row.dated_on) FILTER (WHERE row.kind = 'email_open') AS last_email_open_on,
        max(row.dated_on) FILTER (WHERE row.kind = 'email_click') AS last_email_click_on,
        max(row.dated_on) FILTER (WHERE row.kind = 'reply') AS last_reply_on,
        max(row.dated_on) FILTER (WHERE row.kind = 'login') AS last_login_on,
        max(row.dated_on) FILTER (WHERE row.kind = ANY(CAST(:signals AS text[]))) AS last_signal_on,
        min(row.dated_on) AS first_interaction_on,
        count(*) FILTER (WHERE row.kind = 'purchase') AS purchases
    FROM raw.interaction AS row
    INNER JOIN core.contact_identity AS identity
        ON
            row.contact_source = identity.source
            AND row.source_contact_id = identity.source_contact_id
    WHERE row.load_id = :load_id
    GROUP BY identity.contact_id
),

touched AS (
    UPDATE core.contact_activity AS activity
    SET
        last_purchase_on = greatest(activity.last_purchase_on, fresh.last_purchase_on),
        last_visit_on = greatest(activity.last_visit_on, fresh.last_visit_on),
        last_loyalty_on = greatest(activity.last_loyalty_on, fresh.last_loyalty_on),
        last_email_open_on = greatest(activity.last_email_open_on, fresh.last_email_open_on),
        last_email_click_on = greatest(activity.last_email_click_on, fresh.last_email_click_on),
        last_reply_on = greatest(activity.last_reply_on, fresh.last_reply_on),
        last_login_on = greatest(activity.last_login_on, fresh.last_login_on),
        last_signal_on = greatest(activity.last_signal_on, fresh.last_signal_on),
        first_interaction_on = least(activity.first_interaction_on, fresh.first_interaction_on),
        purchases = activity.purchases + fresh.purchases,
        updated_load_id = :load_id
    FROM fresh
    WHERE activity.contact_id = fresh.contact_id
    RETURNING activity.contact_id, fresh.last_signal_on
)

UPDATE cohort.dormancy AS dormancy
SET
    dormant_since = touched.last_signal_on,
    reaches_on = touched.last_signal_on + CAST(:after_days AS integer)
FROM touched
WHERE dormancy.contact_id = touched.contact_id AND touched.last_signal_on IS NOT NULL;
