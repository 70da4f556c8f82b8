-- Make claimed messages a bulk of their own, right before they are handed over by themselves: the
-- bulk as a whole was refused, so that nothing of it is out. The claim begins anew, since what is
-- handed over now is so much later in the provider's log. Returns those that are still of the bulk.
-- Grain: message. Writes: outbox.message. Parameters: bulk_id, contact_ids, message_ids, part_id (the
-- new bulk), wall. Twice: the messages are of another bulk.
UPDATE outbox.message AS message
SET
    bulk_id = :part_id,
    claimed_at = :wall
FROM
    unnest(CAST(:contact_ids AS bigint[]), CAST(:message_ids AS uuid[]))
        AS part (contact_id, message_id)
WHERE
    message.contact_id = part.contact_id
    AND message.message_id = part.message_id
    AND message.bulk_id = :bulk_id
    AND message.status = 'sending'
RETURNING message.message_id;
