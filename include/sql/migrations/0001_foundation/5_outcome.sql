-- outcome: what became of each episode.
CREATE SCHEMA outcome;

-- In the order of precedence: where several fit, the first.
CREATE TYPE outcome.outcome AS ENUM (
    'opted_out',     -- the person said stop during the episode
    'returned',      -- a signal came after dormant_since
    'active',        -- a message was opened
    'control',       -- held back, and did not come back
    'unsubscribed',  -- delivered and never opened: the journey gives up
    'unreachable'    -- nothing was delivered; nothing changes for the contact
);

CREATE TABLE outcome.contact_outcome (
    contact_id bigint NOT NULL,
    dormant_since date NOT NULL,
    arm cohort.arm,
    outcome outcome.outcome NOT NULL,
    decided_on date NOT NULL,
    steps_sent integer NOT NULL,
    first_open_at timestamptz,
    returned_on date,
    revenue numeric NOT NULL DEFAULT 0,
    cost numeric NOT NULL DEFAULT 0,
    PRIMARY KEY (contact_id, dormant_since)
);

-- Counted on the as_of of the decision; a return on the last step before it.
CREATE TABLE outcome.daily_step (
    as_of date NOT NULL,
    step text NOT NULL,
    arm cohort.arm NOT NULL,
    due bigint NOT NULL,
    sent bigint NOT NULL,
    delivered bigint NOT NULL,
    opened bigint NOT NULL,
    returned bigint NOT NULL,
    opted_out bigint NOT NULL,
    revenue numeric NOT NULL,
    cost numeric NOT NULL,
    PRIMARY KEY (as_of, step, arm)
);
