-- Note what a derived column was made with.
-- Grain: name. Writes: core.derived_from. Parameters: name, value. Twice: the same value.
INSERT INTO core.derived_from (name, value)
VALUES (:name, :value)
ON CONFLICT (name) DO UPDATE SET value = excluded.value;
