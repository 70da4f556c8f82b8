-- Contacts that were merged, or lost an event that was told twice, as their cards and their events
-- say; the journey follows them with the next load.
ANALYZE corrected;

WITH current_card AS (
    SELECT
        identity.contact_id,
        card.*,
        row_number() OVER (
            PARTITION BY identity.contact_id
            ORDER BY card.load_id DESC, card.file_id DESC, card.line DESC
        ) AS age
    FROM corrected
    INNER JOIN core.contact_identity AS identity ON corrected.contact_id = identity.contact_id
    INNER JOIN raw.contact AS card
        ON identity.source = card.source AND identity.source_contact_id = card.record_key
    INNER JOIN raw.load AS load ON card.load_id = load.load_id
    WHERE
        card.status = 'loaded'
        AND load.status = 'loaded'
),

best AS (
    SELECT
        corrected.contact_id,
        min(card.created_on) AS created_on,
        (array_agg(card.phone ORDER BY card.age) FILTER (WHERE card.phone IS NOT NULL))[1] AS phone,
        (array_agg(card.phone_hash ORDER BY card.age) FILTER (WHERE card.phone_hash IS NOT NULL))[1] AS phone_hash,
        (array_agg(card.email ORDER BY card.age) FILTER (WHERE card.email IS NOT NULL))[1] AS email,
        (array_agg(card.first_name ORDER BY card.age) FILTER (WHERE card.first_name IS NOT NULL))[1] AS first_name,
        (array_agg(card.last_name ORDER BY card.age) FILTER (WHERE card.last_name IS NOT NULL))[1] AS last_name,
        (array_agg(card.language ORDER BY card.age) FILTER (WHERE card.language IS NOT NULL))[1] AS language,
        (array_agg(card.country ORDER BY card.age) FILTER (WHERE card.country IS NOT NULL))[1] AS country,
        (array_agg(card.time_zone ORDER BY card.age) FILTER (WHERE card.time_zone IS NOT NULL))[1] AS time_zone,
        (array_agg(card.lifecycle_class ORDER BY card.age) FILTER (WHERE card.lifecycle_class IS NOT NULL))[1] AS lifecycle_class
    FROM corrected
    LEFT JOIN current_card AS card ON corrected.contact_id = card.contact_id
    GROUP BY corrected.contact_id
)

UPDATE core.contact AS contact
SET
    phone_e164 = best.phone,
    phone_hash = best.phone_hash,
    email = best.email,
    first_name = best.first_name,
    last_name = best.last_name,
    language = best.language,
    country = best.country,
    time_zone = best.time_zone,
    lifecycle_class = best.lifecycle_class,
    created_on = best.created_on,
    updated_load_id = (SELECT coalesce(max(load.load_id), 0) + 1 FROM raw.load AS load)
FROM best
WHERE
    contact.contact_id = best.contact_id
    AND contact.merged_into IS NULL
    AND contact.status <> 'erased';

WITH anew AS (
    SELECT
        corrected.contact_id,
        max(interaction.occurred_on) FILTER (WHERE interaction.kind = 'purchase') AS last_purchase_on,
        max(interaction.occurred_on) FILTER (WHERE interaction.kind = 'visit') AS last_visit_on,
        max(interaction.occurred_on) FILTER (WHERE interaction.kind = 'loyalty') AS last_loyalty_on,
        max(interaction.occurred_on) FILTER (WHERE interaction.kind = 'email_open')
            AS last_email_open_on,
        max(interaction.occurred_on) FILTER (WHERE interaction.kind = 'email_click')
            AS last_email_click_on,
        max(interaction.occurred_on) FILTER (WHERE interaction.kind = 'reply') AS last_reply_on,
        max(interaction.occurred_on) FILTER (WHERE interaction.kind = 'login') AS last_login_on,
        max(interaction.occurred_on) FILTER (
            WHERE interaction.kind = ANY(
                CAST(
                    string_to_array(
                        (SELECT known.value FROM core.derived_from AS known WHERE known.name = 'signals'),
                        ','
                    ) AS core.interaction_kind[]
                )
            )
        ) AS last_signal_on,
        min(interaction.occurred_on) AS first_interaction_on,
        count(interaction.kind) FILTER (WHERE interaction.kind = 'purchase') AS purchases
    FROM corrected
    LEFT JOIN core.interaction AS interaction ON corrected.contact_id = interaction.contact_id
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
                interaction.contact_id,
                interaction.occurred_on
            FROM corrected
            INNER JOIN core.interaction AS interaction
                ON corrected.contact_id = interaction.contact_id
            WHERE interaction.kind = 'purchase'
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
    updated_load_id = (SELECT coalesce(max(load.load_id), 0) + 1 FROM raw.load AS load)
FROM anew
INNER JOIN core.contact AS contact ON anew.contact_id = contact.contact_id
LEFT JOIN spaced ON anew.contact_id = spaced.contact_id
WHERE activity.contact_id = anew.contact_id;
