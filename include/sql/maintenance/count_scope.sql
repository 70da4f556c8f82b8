-- How many contacts there are, and how many of them wait for the next day: a load has touched them
-- since the last one was decided.
-- Grain: one row. Reads: core.contact, core.contact_activity. Parameters: last_load_id.
-- Writes nothing.
SELECT
    (SELECT count(*) FROM core.contact) AS contacts,
    (
        SELECT count(*)
        FROM core.contact_activity AS activity
        WHERE activity.updated_load_id > :last_load_id
    ) AS waiting;
