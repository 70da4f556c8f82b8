-- "Opened" is a click by a person, and the pages say so; the enums keep their names. Who got texts
-- and clicked none is resting, which nobody shall take for having said stop.
UPDATE core.word AS word
SET label = said.label, sentence = said.sentence
FROM (
    VALUES
    (
        'cohort.reason', 'opened', 'Clicked an earlier text',
        'They clicked the link in a text of this quiet spell, so they get no further ones.'
    ),
    (
        'cohort.reason', 'suppressed', 'Do not contact',
        'They or their number are on the do-not-contact list: they said stop, asked for a break or '
        'complained, the number does not exist or is somebody else''s now, or they are resting, as '
        'they clicked in none of the earlier texts.'
    ),
    (
        'cohort.reason', 'unsubscribes', 'Too many were leaving',
        'Too many customers had said stop or clicked in no text, so none of the day''s texts went '
        'out. They are looked at again the next day.'
    ),
    (
        'outcome.outcome', 'active', 'Clicked a text',
        'They clicked a text''s link, but have not come back yet.'
    ),
    (
        'outcome.outcome', 'unsubscribed', 'Resting (no click)',
        'Texts arrived, and they clicked none: we stopped writing until they show a sign of life. '
        'They did not say stop.'
    ),
    (
        'outcome.outcome', 'unreachable', 'Too few texts arrived',
        'No text arrived, or fewer than it takes before anybody is left to rest. Nothing changes for '
        'them.'
    ),
    (
        'core.suppression_reason', 'inactivity', 'Resting (no click)',
        NULL
    ),
    (
        'outbox.rule', 'no_sign', 'Too little to tell',
        NULL
    ),
    (
        'outbox.rule', 'many_links', 'Followed more links than a person gets',
        NULL
    )
) AS said (about, word, label, sentence)
WHERE word.about = said.about AND word.word = said.word;

INSERT INTO core.word (about, word, label, sentence)
VALUES
('outbox.rule', 'browser', 'A person''s browser, led to the brand''s own page', NULL),
(
    'outcome.ending', 'unsure', 'Too little to tell',
    'The texts arrived and a link was fetched, but nobody knows by whom: a person, or a preview. '
    'Nothing changes for them.'
);

-- How each closed episode ended, as the pages say it. An outcome `unreachable` is a doubt where the
-- texts had arrived that it takes: `unsure` is a word of pages alone.
CREATE VIEW outcome.ended AS
SELECT
    ended.contact_id,
    ended.dormant_since,
    ended.arm,
    ended.outcome,
    coalesce(word.label, ended.word) AS label,
    word.sentence,
    ended.decided_on
FROM (
    SELECT
        contact_outcome.contact_id,
        contact_outcome.dormant_since,
        contact_outcome.arm,
        contact_outcome.outcome,
        contact_outcome.decided_on,
        CASE
            WHEN
                contact_outcome.outcome = 'unreachable'
                AND contact_outcome.if_unopened = 'unsubscribed'
                THEN 'unsure'
            ELSE CAST(contact_outcome.outcome AS text)
        END AS word
    FROM outcome.contact_outcome AS contact_outcome
) AS ended
LEFT JOIN core.word AS word
    ON word.about IN ('outcome.outcome', 'outcome.ending') AND ended.word = word.word;
