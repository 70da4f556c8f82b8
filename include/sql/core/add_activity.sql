-- Keep core.contact_activity up from the load's own interactions.
-- Grain: contact. Reads: raw.interaction of the load, core.contact_identity. Writes: core.contact_activity.
-- Parameters: load_id, signals. Twice in one load would count purchases twice: core.take runs it
-- in the transaction that marks the load as loaded, so it runs once.
WITH fresh AS (
    SELECT
        identity.contact_id,
        max(interaction.dated_on) FILTER (WHERE interaction.kind = 'purchase') AS last_purchase_on,
        max(interaction.dated_on) FILTER (WHERE interaction.kind = 'visit') AS last_visit_on,
        max(interaction.dated_on) FILTER (WHERE interaction.kind = 'loyalty') AS last_loyalty_on,
        max(interaction.dated_on) FILTER (WHERE interaction.kind = 'email_open')
            AS last_email_open_on,
        max(interaction.dated_on) FILTER (WHERE interaction.kind = 'email_click')
            AS last_email_click_on,
        max(interaction.dated_on) FILTER (WHERE interaction.kind = 'reply') AS last_reply_on,
        max(interaction.dated_on) FILTER (WHERE interaction.kind = 'login') AS last_login_on,
        max(interaction.dated_on) FILTER (
            WHERE interaction.kind = ANY(CAST(:signals AS text[]))
        ) AS last_signal_on,
        min(interaction.dated_on) AS first_interaction_on,
        count(*) FILTER (WHERE interaction.kind = 'purchase') AS purchases
    FROM raw.interaction AS interaction
    INNER JOIN core.contact_identity AS identity
        ON
            interaction.contact_source = identity.source
            AND interaction.source_contact_id = identity.source_contact_id
    WHERE interaction.load_id = :load_id AND interaction.status = 'loaded'
    GROUP BY identity.contact_id
)

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
WHERE activity.contact_id = fresh.contact_id;
