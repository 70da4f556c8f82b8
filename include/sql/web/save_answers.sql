-- Keep the answers to a survey, and what they say of the contact.
-- Grain: one survey a message; an attribute a contact and name.
-- Reads: core.contact. Writes: outbox.survey, core.contact_attribute.
-- Parameters: contact_id, message_id, step, policy_version, at; answers: a JSON object by question;
-- words: how question and answer read, a JSON object by question (see outbox.survey); asked: the questions there were; attributes: a JSON object by name; attribute_names: those that
-- the questions could give.
-- Twice: the same row; answers that are older than those there change nothing. Answers to questions
-- that are no longer asked stay; one that is taken back takes its attribute along, unless a later
-- message's page has said another. Of an erased contact nothing is kept.
INSERT INTO outbox.survey (
    contact_id, message_id, step, answers, words, policy_version, answered_at, changed_at
)
SELECT
    contact.contact_id,
    CAST(:message_id AS uuid),
    CAST(:step AS text),
    CAST(:answers AS jsonb),
    CAST(:words AS jsonb),
    CAST(:policy_version AS text),
    CAST(:at AS timestamptz),
    CAST(:at AS timestamptz)
FROM core.contact AS contact
WHERE contact.contact_id = :contact_id AND contact.status <> 'erased'
ON CONFLICT (contact_id, message_id) DO UPDATE
    SET
        answers = (survey.answers - CAST(:asked AS text[])) || excluded.answers,
        words = (survey.words - CAST(:asked AS text[])) || excluded.words,
        policy_version = excluded.policy_version,
        changed_at = excluded.changed_at
    WHERE survey.changed_at <= excluded.changed_at;

INSERT INTO core.contact_attribute (contact_id, name, value, said_at, message_id)
SELECT
    core.person(contact.contact_id, contact.merged_into),
    said.key,
    said.value,
    CAST(:at AS timestamptz),
    CAST(:message_id AS uuid)
FROM jsonb_each(CAST(:attributes AS jsonb)) AS said
INNER JOIN core.contact AS contact ON contact.contact_id = :contact_id
WHERE
    contact.status <> 'erased'
    AND NOT EXISTS (
        SELECT 1
        FROM outbox.survey AS newer
        WHERE
            newer.contact_id = :contact_id
            AND newer.message_id = CAST(:message_id AS uuid)
            AND newer.changed_at > CAST(:at AS timestamptz)
    )
ON CONFLICT (contact_id, name) DO UPDATE
    SET
        value = excluded.value,
        said_at = excluded.said_at,
        message_id = excluded.message_id
    WHERE contact_attribute.said_at <= excluded.said_at;

DELETE FROM core.contact_attribute
WHERE
    contact_attribute.contact_id IN (
        SELECT core.person(contact.contact_id, contact.merged_into)
        FROM core.contact AS contact
        WHERE contact.contact_id = :contact_id
    )
    AND contact_attribute.message_id = CAST(:message_id AS uuid)
    AND contact_attribute.said_at <= CAST(:at AS timestamptz)
    AND contact_attribute.name = ANY(CAST(:attribute_names AS text[]))
    AND NOT CAST(:attributes AS jsonb) ? contact_attribute.name;
