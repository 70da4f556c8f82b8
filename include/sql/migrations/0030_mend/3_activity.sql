-- Their activity, as core/redo_activity makes it.
WITH lived AS (
    SELECT
        sign.contact_id,
        sign.kind,
        sign.occurred_on,
        sign.is_own
    FROM corrected
    INNER JOIN core.sign_of_life AS sign ON corrected.contact_id = sign.contact_id
),

anew AS (
    SELECT
        corrected.contact_id,
        max(lived.occurred_on) FILTER (WHERE lived.kind = 'purchase') AS last_purchase_on,
        max(lived.occurred_on) FILTER (WHERE lived.kind = 'visit') AS last_visit_on,
        max(lived.occurred_on) FILTER (WHERE lived.kind = 'loyalty') AS last_loyalty_on,
        max(lived.occurred_on) FILTER (WHERE lived.kind = 'email_open')
            AS last_email_open_on,
        max(lived.occurred_on) FILTER (WHERE lived.kind = 'email_click')
            AS last_email_click_on,
        max(lived.occurred_on) FILTER (WHERE lived.kind = 'reply') AS last_reply_on,
        max(lived.occurred_on) FILTER (WHERE lived.kind = 'login') AS last_login_on,
        max(lived.occurred_on) FILTER (
            WHERE lived.kind = ANY((SELECT mark.signals FROM mark)::core.interaction_kind[])
        ) AS last_signal_on,
        min(lived.occurred_on) FILTER (WHERE lived.is_own AND lived.kind <> 'refund')
            AS first_interaction_on,
        count(lived.kind) FILTER (WHERE lived.kind = 'purchase' AND lived.is_own) AS purchases
    FROM corrected
    LEFT JOIN lived ON corrected.contact_id = lived.contact_id
    GROUP BY corrected.contact_id
),

spaced AS (
    SELECT
        apart.contact_id,
        array_agg(apart.days ORDER BY apart.days) AS purchase_gaps,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY apart.days) AS median_days
    FROM (
        SELECT
            bought.contact_id,
            bought.occurred_on - lag(bought.occurred_on) OVER (
                PARTITION BY bought.contact_id ORDER BY bought.occurred_on
            ) AS days
        FROM (
            SELECT DISTINCT
                lived.contact_id,
                lived.occurred_on
            FROM lived
            WHERE lived.kind = 'purchase' AND lived.is_own
        ) AS bought
    ) AS apart
    WHERE apart.days IS NOT NULL
    GROUP BY apart.contact_id
)

UPDATE core.contact_activity AS activity
SET
    last_purchase_on = anew.last_purchase_on,
    last_visit_on = anew.last_visit_on,
    last_loyalty_on = anew.last_loyalty_on,
    last_email_open_on = anew.last_email_open_on,
    last_email_click_on = anew.last_email_click_on,
    last_reply_on = anew.last_reply_on,
    last_login_on = anew.last_login_on,
    last_signal_on = anew.last_signal_on,
    first_interaction_on = anew.first_interaction_on,
    visible_on = coalesce(
        least(contact.created_on, anew.first_interaction_on), contact.first_seen_on
    ),
    purchases = anew.purchases,
    purchase_gaps = coalesce(spaced.purchase_gaps, '{}'),
    median_days_between_purchases = spaced.median_days,
    updated_load_id = (SELECT mark.load_id FROM mark)
FROM anew
INNER JOIN core.contact AS contact ON anew.contact_id = contact.contact_id
LEFT JOIN spaced ON anew.contact_id = spaced.contact_id
WHERE activity.contact_id = anew.contact_id;
