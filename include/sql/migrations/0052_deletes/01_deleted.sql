ALTER TABLE raw.contact ADD COLUMN is_deleted boolean DEFAULT FALSE NOT NULL;
ALTER TABLE raw.interaction ADD COLUMN is_deleted boolean DEFAULT FALSE NOT NULL;
ALTER TABLE raw.consent ADD COLUMN is_deleted boolean DEFAULT FALSE NOT NULL;
ALTER TABLE raw.product ADD COLUMN is_deleted boolean DEFAULT FALSE NOT NULL;
COMMENT ON COLUMN raw.contact.is_deleted IS
'its source had it no more when the load superseded_by looked';
COMMENT ON COLUMN raw.interaction.is_deleted IS
'its source had it no more when the load superseded_by looked';
COMMENT ON COLUMN raw.consent.is_deleted IS
'its source had it no more when the load superseded_by looked';
COMMENT ON COLUMN raw.product.is_deleted IS
'its source had it no more when the load superseded_by looked';

ALTER TABLE raw.load
ADD COLUMN rows_changed bigint,
ADD COLUMN rows_taken_back bigint,
ADD COLUMN rows_deleted bigint;
COMMENT ON COLUMN raw.load.rows_changed IS
'rows of before that say another thing now; null: not counted';
COMMENT ON COLUMN raw.load.rows_taken_back IS
'rows that were facts and are none any more: excluded now, or gone; null: not counted';
COMMENT ON COLUMN raw.load.rows_deleted IS
'those of them that their source has no more; null: not counted';
