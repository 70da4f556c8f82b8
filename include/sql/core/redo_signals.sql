-- The policy names other signals: make last_signal_on anew for everybody, from the last dates.
-- Grain: contact. Writes: core.contact_activity, core.derived_from. Parameters: signals,
-- signals_text, load_id. Twice: the same values.
UPDATE core.contact_activity AS activity
SET last_signal_on = anew.last_signal_on, updated_load_id = :load_id
FROM (
    SELECT
        known.contact_id,
        core.last_on(
            CAST(:signals AS core.interaction_kind[]),
            known.last_purchase_on,
            known.last_visit_on,
            known.last_loyalty_on,
            known.last_email_open_on,
            known.last_email_click_on,
            known.last_reply_on,
            known.last_login_on
        ) AS last_signal_on
    FROM core.contact_activity AS known
) AS anew
WHERE
    activity.contact_id = anew.contact_id
    AND activity.last_signal_on IS DISTINCT FROM anew.last_signal_on;

INSERT INTO core.derived_from (name, value)
VALUES ('signals', :signals_text)
ON CONFLICT (name) DO UPDATE SET value = excluded.value;
