-- Note that what a load replaced is emptied.
-- Grain: load. Writes: raw.load. Parameters: load_id, at. Twice: noted again.
UPDATE raw.load AS load
SET tidied_at = :at
WHERE load.load_id = :load_id;
