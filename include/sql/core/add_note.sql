-- Say one thing more of a load to a person.
-- Grain: load. Writes: raw.load. Parameters: load_id, note. Twice: core.take runs it in the
-- transaction that marks the load as loaded, so it runs once.
UPDATE raw.load AS load
SET message = concat_ws(E'\n', nullif(load.message, ''), CAST(:note AS text))
WHERE load.load_id = :load_id;
