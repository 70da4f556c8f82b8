-- Let there be a row for each pace that is to be kept: to be booked, it must be there.
-- Grain: pace. Writes: outbox.pace. Parameters: keys. Twice: a row that is there is left alone.
INSERT INTO outbox.pace (key, next_at)
SELECT
    key.name,
    '-infinity'
FROM unnest(CAST(:keys AS text[])) AS key (name)
ORDER BY key.name
ON CONFLICT (key) DO NOTHING;
