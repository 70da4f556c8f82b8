-- By what a number is known, however it is written.
-- Grain: one row. Reads: core.phone_alias. Writes nothing. Parameters: phone_hash.
SELECT core.one_number(CAST(:phone_hash AS text)) AS number;
