-- What the words of the enums mean, for somebody who never saw the database. Views, the page and the
-- terminal read them here, so that each sentence lives once.
CREATE TABLE core.word (
    about text NOT NULL,      -- the enum: cohort.reason
    word text NOT NULL,       -- its value; text, as a value added by a migration may not be used in it
    label text NOT NULL,      -- a few words, for a table
    sentence text,            -- what it means for the customer
    PRIMARY KEY (about, word)
);

INSERT INTO core.word (about, word, label, sentence)
VALUES
(
    'cohort.reason', 'opened', 'Opened an earlier text',
    'They opened a text of this quiet spell, so they get no further ones.'
),
(
    'cohort.reason', 'no_consent', 'No consent',
    'They never agreed to marketing by text, or took it back.'
),
(
    'cohort.reason', 'consent_expired', 'Consent too old',
    'They agreed to marketing by text, but too long ago to rely on it.'
),
(
    'cohort.reason', 'suppressed', 'Do not contact',
    'They or their number are on the do-not-contact list: they said stop or complained, the '
    'number does not exist, or earlier texts went unanswered to the end.'
),
(
    'cohort.reason', 'no_phone', 'No usable number',
    'There is no phone number on file that a text can be sent to.'
),
(
    'cohort.reason', 'repeat', 'Had this step recently',
    'They got this same step too short a while ago, so it is left out this time.'
),
(
    'cohort.reason', 'duplicate_phone', 'Shared number',
    'Another customer with the same number is the one we write to.'
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
    'Sending is being built up step by step, and the day''s share was used. They are looked '
    'at again the next day.'
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
    'Too many customers had said stop or never opened a text, so none of the day''s texts went '
    'out. They are looked at again the next day.'
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
    'cohort.reason', 'template', 'Text could not be made',
    'The text came out too long or incomplete for them. They are looked at again the next day.'
),
(
    'cohort.reason', 'due', 'Chosen to be texted',
    'Nothing stood in the way, so a text was prepared.'
),
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
(
    'outbox.message_status', 'delivered', 'Delivered',
    'The provider says the phone received it.'
),
(
    'outbox.message_status', 'undelivered', 'Not delivered',
    'The provider says the phone will never receive it.'
),
(
    'outbox.message_status', 'expired', 'Timed out',
    'The phone could not be reached in time.'
),
(
    'outbox.message_status', 'rejected', 'Refused',
    'The provider refused it; nothing was sent.'
),
(
    'outbox.message_status', 'unknown', 'In doubt',
    'It may have gone out. To be safe, it is never sent again.'
),
(
    'outbox.message_status', 'cancelled', 'Called off',
    'Called off before it went out: they came back or said stop, a check failed, or it became '
    'too late.'
),
(
    'outbox.reply_meaning', 'stop', 'Asked by text not to be texted again',
    'A reply that says stop holds at once, for the number.'
),
(
    'outbox.reply_meaning', 'unclear', 'Replied, and it may mean stop',
    'Nothing is sent to the number until a person has read it.'
),
(
    'outcome.outcome', 'opted_out', 'Said stop',
    'They asked not to be texted again.'
),
(
    'outcome.outcome', 'returned', 'Came back',
    'They bought, visited or gave another sign of life.'
),
(
    'outcome.outcome', 'active', 'Opened a text',
    'They followed a text''s link, but have not come back yet.'
),
(
    'outcome.outcome', 'control', 'Control, stayed quiet',
    'Left alone for comparison, and did not come back.'
),
(
    'outcome.outcome', 'unsubscribed', 'Never opened',
    'Texts arrived, none was opened: we stopped writing.'
),
(
    'outcome.outcome', 'unreachable', 'Not reached',
    'No text arrived. Nothing changes for them.'
),
('core.interaction_kind', 'purchase', 'Bought something', NULL),
('core.interaction_kind', 'visit', 'Visited', NULL),
('core.interaction_kind', 'loyalty', 'Used the loyalty card', NULL),
('core.interaction_kind', 'email_open', 'Email shown as opened', NULL),
('core.interaction_kind', 'email_click', 'Clicked in an email', NULL),
('core.interaction_kind', 'reply', 'Replied', NULL),
('core.interaction_kind', 'login', 'Logged in', NULL),
('core.suppression_reason', 'opted_out', 'Said stop', NULL),
('core.suppression_reason', 'hard_bounce', 'The number does not exist', NULL),
('core.suppression_reason', 'complaint', 'Complained', NULL),
('core.suppression_reason', 'inactivity', 'Never opened any of our texts', NULL),
('core.suppression_reason', 'erased', 'Asked to be forgotten', NULL);
