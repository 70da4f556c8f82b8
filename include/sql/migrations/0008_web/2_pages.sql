-- What people said on the landing pages: answers, entries to contests, and breaks they asked for.

-- A break ends by itself; nothing but the person and that day lifts it.
ALTER TYPE core.suppression_reason ADD VALUE 'paused';      -- the person asked for a break
ALTER TABLE core.suppression ADD COLUMN until date;         -- of a break: the first brand day after it
CREATE INDEX suppression_paused ON core.suppression (until)
WHERE lifted_at IS NULL AND until IS NOT NULL;

INSERT INTO core.word (about, word, label, sentence)
VALUES ('core.suppression_reason', 'paused', 'Asked for a break', NULL);

UPDATE core.word
SET
    sentence = 'They or their number are on the do-not-contact list: they said stop, asked for a '
    'break or complained, the number does not exist, or earlier texts went unanswered to the end.'
WHERE about = 'cohort.reason' AND word = 'suppressed';

UPDATE core.word
SET
    sentence = 'The text could not be made for them: it came out too long or incomplete, or its sale '
    'would have been over, or its contest closed, before it could be sent. They are looked at again '
    'the next day.'
WHERE about = 'cohort.reason' AND word = 'template';

-- What a contact said of themselves, in answers that the policy calls attributes. The latest holds.
CREATE TABLE core.contact_attribute (
    contact_id bigint NOT NULL,
    name text NOT NULL,
    value jsonb NOT NULL,              -- text, number, boolean, or a list of texts
    said_at timestamptz NOT NULL,
    message_id uuid NOT NULL,          -- the message whose page asked
    PRIMARY KEY (contact_id, name)
);

-- A survey that was answered, once a message; answering again changes it.
CREATE TABLE outbox.survey (
    contact_id bigint NOT NULL,
    message_id uuid NOT NULL,
    step text NOT NULL,
    answers jsonb NOT NULL,            -- by question; a text may hold anything, personal data too
    policy_version text NOT NULL,      -- of the questions that were answered last
    answered_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (contact_id, message_id)
);

-- Answer by answer; each one of several choices is a row.
CREATE VIEW outbox.survey_answer AS
SELECT
    survey.contact_id,
    survey.message_id,
    survey.step,
    survey.answered_at,
    answer.key AS question,
    chosen.value #>> '{}' AS answer
FROM outbox.survey AS survey
CROSS JOIN jsonb_each(survey.answers) AS answer
CROSS JOIN LATERAL jsonb_array_elements(
    CASE
        WHEN jsonb_typeof(answer.value) = 'array' THEN answer.value
        ELSE jsonb_build_array(answer.value)
    END
) AS chosen;

-- A draw that anybody can check: the commitment is shown before the first entry, the seed after the
-- draw. Until then whoever reads the seed here could tell who will win.
CREATE TABLE outbox.contest (
    contest text PRIMARY KEY,
    seed text NOT NULL,
    commitment text NOT NULL,          -- SHA-256 of the seed, in hex
    seen_at timestamptz NOT NULL,
    closes_on date,                    -- as the policy said at the draw
    winners integer,
    drawn_at timestamptz,
    entries bigint,                    -- tickets in the draw
    entries_digest text                -- SHA-256 of the tickets, sorted, each with a line feed
);

CREATE TABLE outbox.contest_entry (
    contact_id bigint NOT NULL,
    contest text NOT NULL,
    phone_hash text,                   -- one entry a number: looked for under a lock
    message_id uuid NOT NULL,
    ticket text NOT NULL,              -- random, shown to the entrant: what is drawn
    confirmed jsonb NOT NULL,          -- what they ticked: {"age": 18, "countries": ["IT"]}
    entered_at timestamptz NOT NULL,
    place bigint,                      -- in the draw, from 1; NULL: not drawn, or not in the draw
    PRIMARY KEY (contact_id, contest)
);
CREATE INDEX contest_entry_by_phone ON outbox.contest_entry (contest, phone_hash);
