-- Enter somebody to a contest.
-- Grain: one entry a person and contest; the caller holds the lock of the number, so that it is one
-- a number too. Reads: core.contact, outbox.contest. Writes: outbox.contest_entry.
-- Parameters: contest, contact_id, phone_hash, message_id, ticket, confirmed (a JSON object), at.
-- Twice: the first entry stays. After the draw, or for an erased contact: nothing.
INSERT INTO outbox.contest_entry (
    contact_id, contest, phone_hash, message_id, ticket, confirmed, entered_at
)
SELECT
    core.person(contact.contact_id, contact.merged_into),
    contest.contest,
    CAST(:phone_hash AS text),
    CAST(:message_id AS uuid),
    CAST(:ticket AS text),
    CAST(:confirmed AS jsonb),
    CAST(:at AS timestamptz)
FROM core.contact AS contact
INNER JOIN outbox.contest AS contest
    ON contest.contest = :contest AND contest.drawn_at IS NULL
WHERE contact.contact_id = :contact_id AND contact.status <> 'erased'
FOR SHARE OF contest
ON CONFLICT (contact_id, contest) DO NOTHING
