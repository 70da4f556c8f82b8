-- The activity of a benchmark's contacts after their history has grown: the older years are drawn as
-- the known ones were, so the gaps between purchases are taken as alike, not read from all rows.
-- Grain: contact. Writes: core.contact_activity. Parameters: times (the history), older_days.
-- Twice would grow it twice: it runs once in a database of its own.
UPDATE core.contact_activity AS activity
SET
    first_interaction_on = activity.first_interaction_on - CAST(:older_days AS integer),
    purchases = activity.purchases * CAST(:times AS integer),
    purchase_gaps = ARRAY(
        SELECT known.days
        FROM unnest(activity.purchase_gaps) AS known (days)
        CROSS JOIN generate_series(1, CAST(:times AS integer))
        ORDER BY known.days
    );
