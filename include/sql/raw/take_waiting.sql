-- Take the rows whose day has come.
-- Grain: source row. Writes: raw.entity. Parameters: load_id, source, as_of.
-- Twice: a taken row waits no more.
UPDATE raw.entity AS row
SET status = 'loaded', load_id = :load_id
WHERE row.source = :source AND row.status = 'waiting' AND row.dated_on <= :as_of;
