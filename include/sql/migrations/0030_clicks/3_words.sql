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
        'complained, the number does not exist, or they are resting, as they clicked in none of the '
        'earlier texts.'
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
        'outcome.outcome', 'unreachable', 'Too little to tell',
        'No text arrived, or too few did, or a link was fetched and nobody knows by whom. Nothing '
        'changes for them.'
    ),
    (
        'core.suppression_reason', 'inactivity', 'Resting (no click)',
        NULL
    ),
    (
        'outbox.rule', 'confirmed', 'Their hand was on the page',
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

INSERT INTO core.word (about, word, label)
VALUES ('outbox.rule', 'browser', 'A person''s browser, led to the brand''s own page');
