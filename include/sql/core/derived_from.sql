-- What a derived column was made with, if it was made.
-- Grain: one row or none. Reads: core.derived_from. Parameters: name. Writes nothing.
SELECT derived.value FROM core.derived_from AS derived WHERE derived.name = :name;
