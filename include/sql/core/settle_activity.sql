-- What follows from the last dates of the contacts that a load touched: since when they are
-- visible and quiet, and the rhythm of their purchases. A new quiet_since has no episode yet.
-- Grain: contact. Reads: core.contact, core.interaction. Writes: core.contact_activity.
-- Parameters: load_id, cooldown_days. Twice: the same values.
WITH seen AS (
    SELECT
        activity.contact_id,
        coalesce(
            least(contact.created_on, activity.first_interaction_on), contact.first_seen_on
        ) AS visible_on,
        CASE
            WHEN
                activity.active_closed_on IS NOT NULL
                AND activity.active_closed_on >= coalesce(activity.last_signal_on, '-infinity')
                THEN activity.active_closed_on + CAST(:cooldown_days AS integer)
            ELSE coalesce(
                activity.last_signal_on,
                least(contact.created_on, activity.first_interaction_on),
                contact.first_seen_on
            )
        END AS quiet_since
    FROM core.contact_activity AS activity
    INNER JOIN core.contact AS contact ON activity.contact_id = contact.contact_id
    WHERE activity.updated_load_id = :load_id
),

rhythm AS (
    SELECT
        gap.contact_id,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY gap.days) AS median_days
    FROM (
        SELECT
            purchase.contact_id,
            purchase.occurred_on
            - lag(purchase.occurred_on) OVER (
                PARTITION BY purchase.contact_id ORDER BY purchase.occurred_on
            ) AS days
        FROM (
            SELECT DISTINCT
                interaction.contact_id,
                interaction.occurred_on
            FROM core.interaction AS interaction
            INNER JOIN seen ON interaction.contact_id = seen.contact_id
            WHERE interaction.kind = 'purchase'
        ) AS purchase
    ) AS gap
    WHERE gap.days IS NOT NULL
    GROUP BY gap.contact_id
)

UPDATE core.contact_activity AS activity
SET
    visible_on = seen.visible_on,
    has_episode = activity.has_episode AND activity.quiet_since = seen.quiet_since,
    quiet_since = seen.quiet_since,
    median_days_between_purchases = rhythm.median_days
FROM seen
LEFT JOIN rhythm ON seen.contact_id = rhythm.contact_id
WHERE activity.contact_id = seen.contact_id;
