-- What kind of number a contact has, so that nothing is sent to a landline. NULL: not judged yet.
ALTER TABLE raw.contact ADD COLUMN phone_kind text;
ALTER TABLE core.contact ADD COLUMN phone_kind core.phone_kind;

-- Whether a text can arrive there, as far as anybody knows: only what is certain holds one back.
CREATE FUNCTION core.may_be_mobile(kind core.phone_kind) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
SELECT coalesce(kind IN ('mobile', 'fixed_line_or_mobile', 'unknown'), TRUE)
$$;

INSERT INTO core.word (about, word, label, sentence)
VALUES
(
    'cohort.reason', 'not_mobile', 'No mobile number',
    'The number on file is a landline, a hotline or another one that no text arrives at. They are '
    'looked at again when their card has another.'
),
('core.interaction_kind', 'refund', 'Returned something', NULL);
