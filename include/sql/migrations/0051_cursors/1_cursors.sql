ALTER TABLE raw.file
ADD COLUMN reads_from text,
ADD COLUMN reads_to text;
COMMENT ON COLUMN raw.file.reads_from IS
'of a database or an interface: from where on it was asked, as a time in UTC or a key; null: all of it';
COMMENT ON COLUMN raw.file.reads_to IS
'and up to where, not included; null: all that there was';

ALTER TABLE raw.load
ADD COLUMN reads_from text,
ADD COLUMN reads_to text,
ADD COLUMN cursor_before text,
ADD COLUMN cursor_after text;
COMMENT ON COLUMN raw.load.reads_from IS
'of a database or an interface: from where on it was asked, as a time in UTC or a key; null: all of it';
COMMENT ON COLUMN raw.load.reads_to IS
'up to where it was read: when the load asked, or the last key';
COMMENT ON COLUMN raw.load.cursor_before IS
'how far the loads of earlier days have come, as a time in UTC or a key; null: not at all';
COMMENT ON COLUMN raw.load.cursor_after IS
'how far it has come itself, and from where the next day goes on; null: not at all';
