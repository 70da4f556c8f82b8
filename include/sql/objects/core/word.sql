-- What the words of the enums mean, for somebody who never saw the database. Views, the page and
-- the terminal read them here, so that each sentence lives once. The rows of core.word are those of
-- this file, and no others: what is changed in the table alone is changed back.
-- Grain: enum and value. outcome.ending, core.suppression_source and cohort.gate are no enums: words
-- of pages alone (outcome.ended, cohort.contact_story, the page of a day).
-- Writes: core.word. Twice: the same rows.
WITH said (about, word, label, sentence) AS (
    VALUES
    ('cohort.action', 'send', 'Send', NULL),
    ('cohort.action', 'hold', 'Held back', NULL),
    ('cohort.action', 'skip', 'Skipped', NULL),
    ('cohort.arm', 'treatment', 'May be texted', NULL),
    ('cohort.arm', 'control', 'Control group', NULL),
    ('cohort.gate', 'size', 'How many', NULL),
    ('cohort.gate', 'unsubscribes', 'Who leaves', NULL),
    ('cohort.gate', 'budget', 'Budget', NULL),
    ('cohort.gate', 'approval', 'Approval', NULL),
    ('core.contact_status', 'active', 'Active', NULL),
    -- Of who is only resting, the word of the suppression is shown.
    ('core.contact_status', 'unsubscribed', 'Said stop', NULL),
    ('core.contact_status', 'erased', 'Erased on request', NULL),
    (
        'raw.load_status', 'running', 'Not finished',
        'Still being read, or interrupted; the next load takes it over.'
    ),
    ('raw.load_status', 'loaded', 'Arrived', 'Everything that could be read is in.'),
    (
        'raw.load_status', 'stopped', 'Stopped',
        'Read, but not used: a check found too much wrong with it.'
    ),
    (
        'cohort.reason', 'opened', 'Clicked an earlier text',
        'They clicked the link in a text of this quiet spell, so they get no further ones.'
    ),
    (
        'cohort.reason', 'no_consent', 'No consent',
        'They never agreed to marketing by text, or it was taken back: by them, or by somebody who has'
        ' the same number or card.'
    ),
    (
        'cohort.reason', 'consent_expired', 'Consent too old',
        'They agreed to marketing by text, but too long ago to rely on it.'
    ),
    (
        'cohort.reason', 'suppressed', 'Do not contact',
        'They or their number are on the do-not-contact list: they said stop, asked for a break or '
        'complained, the number does not exist or is somebody else''s now, or they are resting, as '
        'they clicked in none of the earlier texts.'
    ),
    (
        'cohort.reason', 'unread_reply', 'Replied, nobody has read it',
        'They replied to a text, and no person has read yet whether it is a stop. They are looked at '
        'again the next day; see Replies.'
    ),
    (
        'cohort.reason', 'no_phone', 'No usable number',
        'There is no phone number on file that a text can be sent to.'
    ),
    (
        'cohort.reason', 'not_mobile', 'No mobile number',
        'The number on file is a landline, a hotline or another one that no text arrives at. They are'
        ' looked at again when their card has another.'
    ),
    (
        'cohort.reason', 'repeat', 'Had this step recently',
        'They got this same step too short a while ago, so it is left out this time.'
    ),
    (
        'cohort.reason', 'duplicate_phone', 'Shared number',
        'Another customer with the same number is the one we write to; or so many customers have it that'
        ' it is hardly anybody''s own.'
    ),
    (
        'cohort.reason', 'gap', 'Texted days ago',
        'Another text went to them too few days ago. They are looked at again the next day.'
    ),
    (
        'cohort.reason', 'daily_cap', 'Daily limit reached',
        'The day''s limit of texts was reached. They are looked at again the next day.'
    ),
    (
        'cohort.reason', 'warm_up', 'Starting slowly',
        'Sending is being built up step by step, and the day''s share was used. They are looked at '
        'again the next day.'
    ),
    (
        'cohort.reason', 'budget', 'Budget spent',
        'The budget for texts would have been overspent, so none of the day''s texts went out. They '
        'are looked at again the next day.'
    ),
    (
        'cohort.reason', 'size', 'Far more than usual',
        'Far more customers than usual were to be texted, which often means that data is missing, so '
        'none of the day''s texts went out. They are looked at again the next day.'
    ),
    (
        'cohort.reason', 'unsubscribes', 'Too many were leaving',
        'Too many customers had said stop or clicked in no text, so none of the day''s texts went out.'
        ' They are looked at again the next day.'
    ),
    (
        'cohort.reason', 'approval', 'Not approved',
        'Nobody approved the day''s texts, so none went out. They are looked at again the next day.'
    ),
    (
        'cohort.reason', 'control', 'Control group',
        'Left alone on purpose, drawn by lot: comparing with them shows what the texts change.'
    ),
    (
        'cohort.reason', 'stock', 'No coupon code left',
        'The codes that their coupon is taken from were used up. They are looked at again the next '
        'day.'
    ),
    (
        'cohort.reason', 'template', 'Text could not be made',
        'The text could not be made for them: it came out too long or incomplete, or its sale would '
        'have been over, or its contest closed, before it could be sent. They are looked at again the'
        ' next day.'
    ),
    (
        'cohort.reason', 'due', 'Chosen to be texted',
        'Nothing stood in the way, so a text was prepared.'
    ),
    ('core.interaction_kind', 'purchase', 'Bought something', NULL),
    ('core.interaction_kind', 'visit', 'Visited', NULL),
    ('core.interaction_kind', 'loyalty', 'Used the loyalty card', NULL),
    ('core.interaction_kind', 'email_open', 'Email shown as opened', NULL),
    ('core.interaction_kind', 'email_click', 'Clicked in an email', NULL),
    ('core.interaction_kind', 'reply', 'Replied', NULL),
    ('core.interaction_kind', 'login', 'Logged in', NULL),
    ('core.interaction_kind', 'refund', 'Returned something', NULL),
    ('core.suppression_reason', 'opted_out', 'Said stop', NULL),
    ('core.suppression_reason', 'hard_bounce', 'The number does not exist', NULL),
    ('core.suppression_reason', 'number_reassigned', 'The number is somebody else''s now', NULL),
    ('core.suppression_reason', 'complaint', 'Complained', NULL),
    ('core.suppression_reason', 'inactivity', 'Resting (no click)', NULL),
    ('core.suppression_reason', 'erased', 'Asked to be forgotten', NULL),
    ('core.suppression_reason', 'paused', 'Asked for a break', NULL),
    ('core.suppression_source', 'landing', 'By a button of the page that a text leads to', NULL),
    ('core.suppression_source', 'reply', 'By a reply', NULL),
    ('core.suppression_source', 'unread', 'By a reply that nobody read in time', NULL),
    ('core.suppression_source', 'receipt', 'By the report on a text', NULL),
    ('core.suppression_source', 'provider', 'By what the provider tells of the number', NULL),
    ('core.suppression_source', 'journey', 'By the journey', NULL),
    (
        'outbox.message_status', 'draft', 'Prepared',
        'Written; the day''s final checks are still ahead.'
    ),
    (
        'outbox.message_status', 'queued', 'Waiting',
        'Cleared to go; waiting for the hours in which phones may ring.'
    ),
    (
        'outbox.message_status', 'sending', 'Being sent',
        'On its way to the text message provider at this moment.'
    ),
    (
        'outbox.message_status', 'accepted', 'On its way',
        'The provider has it; the phone has not confirmed it yet.'
    ),
    ('outbox.message_status', 'delivered', 'Delivered', 'The provider says the phone received it.'),
    (
        'outbox.message_status', 'undelivered', 'Not delivered',
        'The provider says the phone will never receive it.'
    ),
    ('outbox.message_status', 'expired', 'Timed out', 'The phone could not be reached in time.'),
    ('outbox.message_status', 'rejected', 'Refused', 'The provider refused it; nothing was sent.'),
    (
        'outbox.message_status', 'unknown', 'In doubt',
        'It may have gone out. To be safe, it is never sent again.'
    ),
    (
        'outbox.message_status', 'cancelled', 'Called off',
        'Called off before it went out: they came back or said stop, a reply of theirs is to be read '
        'first, a check failed, or it became too late.'
    ),
    (
        'outbox.reply_meaning', 'stop', 'Asked by text not to be texted again',
        'A reply that says stop holds at once, for the number.'
    ),
    (
        'outbox.reply_meaning', 'unclear', 'Replied',
        'A person reads it; until then nothing is sent to the number.'
    ),
    (
        'outbox.reply_meaning', 'start', 'Asked for texts again',
        'Takes back a stop that came by reply; one made elsewhere stands.'
    ),
    ('outbox.rule', 'press', 'Pressed a button', NULL),
    ('outbox.rule', 'confirmed', 'Their hand was on the page', NULL),
    ('outbox.rule', 'browser', 'A person''s browser, led to the brand''s own page', NULL),
    ('outbox.rule', 'no_sign', 'Too little to tell', NULL),
    ('outbox.rule', 'not_a_get', 'Only asked whether the page is there', NULL),
    ('outbox.rule', 'prefetch', 'Loaded ahead by a browser or a preview', NULL),
    ('outbox.rule', 'no_agent', 'Does not say what it is', NULL),
    ('outbox.rule', 'crawler', 'Says that it is a program', NULL),
    ('outbox.rule', 'many_links', 'Followed more links than a person gets', NULL),
    ('outbox.rule', 'too_soon', 'Faster after the text than anybody reads', NULL),
    (
        'outcome.ending', 'unsure', 'Too little to tell',
        'The texts arrived and a link was fetched, but nobody knows by whom: a person, or a preview. '
        'Nothing changes for them.'
    ),
    ('outcome.outcome', 'opted_out', 'Said stop', 'They asked not to be texted again.'),
    ('outcome.outcome', 'returned', 'Came back', 'They bought, visited or gave another sign of life.'),
    (
        'outcome.outcome', 'active', 'Clicked a text',
        'They clicked a text''s link, but have not come back yet.'
    ),
    (
        'outcome.outcome', 'control', 'Control, stayed quiet',
        'Left alone for comparison, and did not come back.'
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
    )
),

gone AS (
    DELETE FROM core.word AS word
    WHERE NOT EXISTS (
        SELECT 1
        FROM said
        WHERE said.about = word.about AND said.word = word.word
    )
)

INSERT INTO core.word AS known (about, word, label, sentence)
SELECT
    said.about,
    said.word,
    said.label,
    said.sentence
FROM said
ON CONFLICT (about, word) DO UPDATE
    SET label = excluded.label, sentence = excluded.sentence
    WHERE (known.label, known.sentence) IS DISTINCT FROM (excluded.label, excluded.sentence);
