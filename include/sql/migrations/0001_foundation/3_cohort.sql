-- cohort: episodes of dormancy and the decisions taken in them.
CREATE SCHEMA cohort;

CREATE TYPE cohort.arm AS ENUM (
    'treatment',  -- was sent something
    'control'     -- would have been, and was held back to measure the effect
);

CREATE TYPE cohort.action AS ENUM (
    'send',  -- a message was drafted
    'hold',  -- something stands in the way; the reason says what
    'skip'   -- the step is not wanted for this contact
);

-- In the order in which they are checked: the first that applies is the reason.
CREATE TYPE cohort.reason AS ENUM (
    'opened',           -- skip: an earlier message of the episode was opened
    'no_consent',       -- no consent to marketing on this channel, or it was withdrawn
    'consent_expired',  -- consent was given, but too long ago
    'suppressed',       -- the contact or the number is on the suppression list
    'no_phone',         -- no usable phone number
    'repeat',           -- skip: this step went to this person within repeat_after_days
    'duplicate_phone',  -- another contact with this phone is the one written to
    'gap',              -- something went to this person within gap_days; tried again tomorrow
    'daily_cap',        -- the day's cap is reached; tried again tomorrow
    'warm_up',          -- the ramp of a new base is reached; tried again tomorrow
    'budget',           -- the budget is spent; tried again tomorrow
    'approval',         -- the day was not approved; tried again tomorrow
    'control',          -- held back to measure the effect
    'template',         -- the text could not be made for this contact; tried again tomorrow
    'due'               -- nothing stands in the way: sent
);

-- The latest day that was decided, one row a day: the journey only moves forward.
CREATE TABLE cohort.day (
    as_of date PRIMARY KEY,
    policy_version text NOT NULL,
    decided_at timestamptz NOT NULL,
    last_load_id bigint NOT NULL     -- the loads up to this one were taken into account
);

CREATE TABLE cohort.episode (
    contact_id bigint NOT NULL,
    dormant_since date NOT NULL,
    arm cohort.arm,                -- written when first eligible, then never changed
    opened_on date NOT NULL,       -- as_of of the day that opened it
    first_step text,               -- the step at which it was first eligible to be sent something
    first_eligible_on date,
    next_step text,
    next_due_on date,              -- null once no step can follow
    done_days integer NOT NULL DEFAULT 0,  -- threshold of the last step that was sent or skipped
    last_action cohort.action,
    last_sent_on date,             -- as_of of the last send
    last_final_on date,            -- as_of of the last send or final hold
    returned_on date,              -- the first signal after dormant_since
    closed_on date,
    PRIMARY KEY (contact_id, dormant_since)
);
CREATE INDEX episode_due ON cohort.episode (next_due_on) WHERE closed_on IS NULL;
CREATE INDEX episode_open ON cohort.episode (contact_id) WHERE closed_on IS NULL;
CREATE INDEX episode_to_close ON cohort.episode (last_final_on)
WHERE closed_on IS NULL AND next_due_on IS NULL;
CREATE INDEX episode_sent ON cohort.episode (last_sent_on) WHERE closed_on IS NULL;
CREATE INDEX episode_returned ON cohort.episode (returned_on)
WHERE closed_on IS NULL AND returned_on IS NOT NULL;

-- Every evaluation of an episode, with its reason.
CREATE TABLE cohort.decision (
    as_of date NOT NULL,
    contact_id bigint NOT NULL,
    dormant_since date NOT NULL,
    inactive_days integer NOT NULL,
    step text NOT NULL,
    prior_sends integer NOT NULL,
    prior_opens integer NOT NULL,
    action cohort.action NOT NULL,
    reason cohort.reason NOT NULL,
    policy_version text NOT NULL,
    PRIMARY KEY (contact_id, as_of)
);
CREATE INDEX decision_by_day ON cohort.decision (as_of, step);
