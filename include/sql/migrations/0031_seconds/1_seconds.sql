ALTER TABLE raw.load ADD COLUMN raw_seconds double precision, ADD COLUMN core_seconds double precision;

COMMENT ON COLUMN raw.load.raw_seconds IS
'What reading the files into raw took, on the wall''s clock; started_at and finished_at may be simulated. NULL: not known.';
COMMENT ON COLUMN raw.load.core_seconds IS
'What taking the load from raw into core took, on the wall''s clock. NULL: not known, or not taken yet.';
