-- The days that the interactions in core cover, and through which day the loads have come.
-- Grain: one row. Reads: raw.load, core.contact_activity. No parameters. Writes nothing.
SELECT
    (SELECT max(load.as_of) FROM raw.load AS load WHERE load.status = 'loaded') AS through,
    (
        SELECT min(activity.first_interaction_on) FROM core.contact_activity AS activity
    ) AS first_day;
