-- Begin a load of a source for a day.
-- Grain: one row, its load_id. Writes: raw.load. Parameters: source, entity, as_of, at.
-- Twice: another row; an unfinished load before it is taken over by raw/take_over.
INSERT INTO raw.load (source, entity, as_of, started_at)
VALUES (:source, :entity, :as_of, :at)
RETURNING load_id;
