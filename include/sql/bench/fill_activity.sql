-- The activity of all contacts of a benchmark, from all that they did.
-- Grain: contact. Reads: core.contact, core.interaction. Writes: core.contact_activity.
-- Parameters: load_id, signals. Twice: refused by the primary key.
SET LOCAL work_mem = '256MB';

INSERT INTO core.contact_activity (
    contact_id, last_purchase_on, last_visit_on, last_loyalty_on, last_email_open_on,
    last_email_click_on, last_login_on, last_signal_on, first_interaction_on, purchases,
    purchase_gaps, median_days_between_purchases, visible_on, updated_load_id
)
SELECT
    contact.contact_id,
    done.last_purchase_on,
    done.last_visit_on,
    done.last_loyalty_on,
    done.last_email_open_on,
    done.last_email_click_on,
    done.last_login_on,
    done.last_signal_on,
    done.first_interaction_on,
    coalesce(done.purchases, 0),
    coalesce(spaced.purchase_gaps, '{}'),
    spaced.median_days,
    contact.created_on,
    :load_id
FROM core.contact AS contact
LEFT JOIN (
    SELECT
        interaction.contact_id,
        max(interaction.occurred_on) FILTER (WHERE interaction.kind = 'purchase') AS last_purchase_on,
        max(interaction.occurred_on) FILTER (WHERE interaction.kind = 'visit') AS last_visit_on,
        max(interaction.occurred_on) FILTER (WHERE interaction.kind = 'loyalty') AS last_loyalty_on,
        max(interaction.occurred_on) FILTER (WHERE interaction.kind = 'email_open')
            AS last_email_open_on,
        max(interaction.occurred_on) FILTER (WHERE interaction.kind = 'email_click')
            AS last_email_click_on,
        max(interaction.occurred_on) FILTER (WHERE interaction.kind = 'login') AS last_login_on,
        max(interaction.occurred_on) FILTER (
            WHERE interaction.kind = ANY(CAST(:signals AS core.interaction_kind[]))
        ) AS last_signal_on,
        min(interaction.occurred_on) AS first_interaction_on,
        count(*) FILTER (WHERE interaction.kind = 'purchase') AS purchases
    FROM core.interaction AS interaction
    GROUP BY interaction.contact_id
) AS done ON contact.contact_id = done.contact_id
LEFT JOIN (
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
            FROM core.interaction AS interaction
            WHERE interaction.kind = 'purchase'
        ) AS bought
    ) AS apart
    WHERE apart.days IS NOT NULL
    GROUP BY apart.contact_id
) AS spaced ON contact.contact_id = spaced.contact_id;
