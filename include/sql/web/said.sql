-- The entry to a contest that a person or their number has, if any: see outbox.said.
-- Grain: one row. Reads: outbox.said. Writes nothing. Parameters: contact_id, message_id; phone_hash:
-- of the message, NULL where it is not known; contest: its name; channel.
SELECT
    said.ticket,
    said.place
FROM
    outbox.said(
        CAST(:contact_id AS bigint),
        CAST(:message_id AS uuid),
        CAST(:phone_hash AS text),
        CAST(:contest AS text),
        CAST(:channel AS text)
    ) AS said;
