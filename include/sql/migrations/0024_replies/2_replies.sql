-- A reply that nobody has read counts as a stop after a while. A person may still say what it was.
ALTER TABLE outbox.reply
ADD COLUMN counted_at timestamptz;  -- when it was taken for a stop unread

CREATE INDEX reply_counted ON outbox.reply (counted_at)
WHERE counted_at IS NOT NULL AND reviewed_at IS NULL;
CREATE INDEX reply_reviewed ON outbox.reply (reviewed_at) WHERE meaning <> 'stop';
CREATE INDEX reply_stop ON outbox.reply (phone_hash, received_at) WHERE meaning = 'stop';

-- What a claim called off for an unread reply, and is decided anew.
UPDATE outbox.message SET error_code = 'unread_reply' WHERE error_code = 'unclear_reply';
CREATE INDEX message_unread ON outbox.message (as_of)
WHERE status = 'cancelled' AND error_code = 'unread_reply';

-- What could not be read of what a provider told.
CREATE INDEX webhook_unread ON outbox.webhook (webhook_id)
WHERE mapped_at IS NULL AND error IS NOT NULL;

INSERT INTO core.word (about, word, label, sentence)
VALUES
(
    'cohort.reason', 'unread_reply', 'Replied, nobody has read it',
    'They replied to a text, and no person has read yet whether it is a stop. They are looked at '
    'again the next day; see Replies.'
),
('core.suppression_reason', 'number_reassigned', 'The number is somebody else''s now', NULL);

UPDATE core.word
SET
    sentence = 'They or their number are on the do-not-contact list: they said stop, asked for a '
    'break or complained, the number does not exist or is somebody else''s now, or earlier texts '
    'went unanswered to the end.'
WHERE about = 'cohort.reason' AND word = 'suppressed';

UPDATE core.word
SET label = 'Replied', sentence = 'A person reads it; until then nothing is sent to the number.'
WHERE about = 'outbox.reply_meaning' AND word = 'unclear';

UPDATE core.word
SET
    sentence = 'Called off before it went out: they came back or said stop, a reply of theirs is to be '
    'read first, a check failed, or it became too late.'
WHERE about = 'outbox.message_status' AND word = 'cancelled';

-- The link service maps what providers call in, and so looks numbers up.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'reengage_web') THEN
        GRANT SELECT ON core.phone_alias TO reengage_web;
    END IF;
END;
$$;
