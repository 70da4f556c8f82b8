-- How many of a load's rows name nobody that a contact's card describes; NULL: not counted.
ALTER TABLE raw.load ADD COLUMN rows_unknown bigint;
