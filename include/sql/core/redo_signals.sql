-- The policy names other signals: make last_signal_on anew for everybody, from the last dates.
-- Grain: contact. Writes: core.contact_activity, core.derived_from. Parameters: signals,
-- signals_text, cooldown_days, load_id. Twice: the same values.
UPDATE core.contact_activity AS activity
SET
    last_signal_on = anew.last_signal_on,
    quiet_since = anew.quiet_since,
    has_episode = activity.has_episode AND activity.quiet_since = anew.quiet_since,
    updated_load_id = :load_id
FROM (
    SELECT
        known.contact_id,
        signal.last_signal_on,
        CASE
            WHEN
                known.active_closed_on IS NOT NULL
                AND known.active_closed_on >= coalesce(signal.last_signal_on, '-infinity')
                THEN known.active_closed_on + CAST(:cooldown_days AS integer)
            ELSE coalesce(signal.last_signal_on, known.visible_on)
        END AS quiet_since
    FROM core.contact_activity AS known
    CROSS JOIN LATERAL (
        SELECT max(last.happened_on) AS last_signal_on
        FROM (
            VALUES
            ('purchase', known.last_purchase_on),
            ('visit', known.last_visit_on),
            ('loyalty', known.last_loyalty_on),
            ('email_open', known.last_email_open_on),
            ('email_click', known.last_email_click_on),
            ('reply', known.last_reply_on),
            ('login', known.last_login_on)
        ) AS last (kind, happened_on)
        WHERE last.kind = ANY(CAST(:signals AS text[]))
    ) AS signal
) AS anew
WHERE
    activity.contact_id = anew.contact_id
    AND (activity.last_signal_on, activity.quiet_since)
    IS DISTINCT FROM (anew.last_signal_on, anew.quiet_since);

INSERT INTO core.derived_from (name, value)
VALUES ('signals', :signals_text)
ON CONFLICT (name) DO UPDATE SET value = excluded.value;
