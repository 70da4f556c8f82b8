-- In the order in which a sender claims: many messages of a day begin at one moment.
DROP INDEX outbox.message_to_send;
CREATE INDEX message_to_send ON outbox.message (not_before, not_after, contact_id)
WHERE status = 'queued';
