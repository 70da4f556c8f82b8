-- Note what derived columns or tables were made with.
-- Grain: derived thing. Writes: core.derived_from. Parameters: name, value. Twice: the same.
INSERT INTO core.derived_from (name, value)
VALUES (CAST(:name AS text), CAST(:value AS text))
ON CONFLICT (name) DO UPDATE SET value = excluded.value;
