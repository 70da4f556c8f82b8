-- A message that was refused as one of many in a row, with a code on no list: it waits behind the
-- others, and the next run begins with one of those.
ALTER TABLE outbox.message ADD COLUMN refused_at timestamptz;
COMMENT ON COLUMN outbox.message.refused_at IS
'when it was last refused as everybody was, with a code on no list; it is queued, behind the others';
CREATE INDEX message_refused ON outbox.message (error_code)
WHERE status = 'queued' AND refused_at IS NOT NULL;

-- A bulk's messages that a provider's log is asked about: as outbox/handed names them.
CREATE INDEX message_handed ON outbox.message (bulk_id)
WHERE
status IN ('sending', 'unknown', 'accepted')
OR (price IS NULL AND status IN ('delivered', 'undelivered', 'expired'));
