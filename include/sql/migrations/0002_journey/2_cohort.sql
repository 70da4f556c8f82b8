-- Two more reasons to hold: the day's gates that look at all of it.
ALTER TYPE cohort.reason ADD VALUE 'size' AFTER 'budget';          -- many more are due than usual
ALTER TYPE cohort.reason ADD VALUE 'unsubscribes' AFTER 'size';    -- too many leave

-- Final: not lifted by waiting, so the next threshold is looked at next. Others: tomorrow.
ALTER TABLE cohort.decision ADD COLUMN is_final boolean NOT NULL DEFAULT TRUE;
UPDATE cohort.decision
SET is_final = FALSE
WHERE decision.reason IN ('gap', 'template');

-- What a day came to.
ALTER TABLE cohort.day
ADD COLUMN contacts bigint NOT NULL DEFAULT 0,     -- that the journey knows: the base
ADD COLUMN sends integer NOT NULL DEFAULT 0,       -- drafted
ADD COLUMN released_at timestamptz,                -- when its gates let it go
ADD COLUMN stopped_by text;                        -- the gate that stopped it

-- What was released before there were gates.
UPDATE cohort.day AS day
SET
    released_at = day.decided_at,
    sends = (
        SELECT count(*)
        FROM cohort.decision AS decision
        WHERE decision.as_of = day.as_of AND decision.action = 'send'
    );

ALTER TABLE cohort.episode
ADD COLUMN behaviour text NOT NULL DEFAULT 'any',       -- the clock that reached its first step
ADD COLUMN pace double precision NOT NULL DEFAULT 1,    -- of the contact: multiplies the ladder's days
ADD COLUMN done_steps text[] NOT NULL DEFAULT '{}',    -- sent, skipped or control: never again
ADD COLUMN done_position integer NOT NULL DEFAULT 0,    -- the highest of them on the ladder
ADD COLUMN last_step text,                              -- of its last decision
ADD COLUMN last_days integer,                           -- inactive days at that decision
ADD COLUMN last_position integer NOT NULL DEFAULT 0,    -- the rung passed last; a hold that waits has not
ADD COLUMN is_waiting boolean NOT NULL DEFAULT FALSE,   -- held back for something that passes
ADD COLUMN is_opened boolean NOT NULL DEFAULT FALSE;    -- a human opened one of its messages

-- Positions follow on the next day that is decided, with the ladder.
UPDATE cohort.episode AS episode
SET
    last_step = said.last_step,
    last_days = said.last_days,
    done_steps = coalesce(said.done_steps, '{}'),
    done_days = coalesce(said.done_days, 0),
    is_waiting = NOT said.is_final,
    is_opened = said.is_opened
FROM (
    SELECT
        decision.contact_id,
        decision.dormant_since,
        (array_agg(decision.step ORDER BY decision.as_of DESC))[1] AS last_step,
        max(decision.inactive_days) AS last_days,
        (array_agg(decision.is_final ORDER BY decision.as_of DESC))[1] AS is_final,
        array_agg(DISTINCT decision.step) FILTER (
            WHERE decision.action IN ('send', 'skip') OR decision.reason = 'control'
        ) AS done_steps,
        max(decision.inactive_days) FILTER (
            WHERE decision.action IN ('send', 'skip') OR decision.reason = 'control'
        ) AS done_days,
        EXISTS(
            SELECT 1
            FROM outbox.judged_hit AS hit
            INNER JOIN outbox.message AS message
                ON hit.contact_id = message.contact_id AND hit.message_id = message.message_id
            WHERE
                hit.verdict = 'human'
                AND message.contact_id = decision.contact_id
                AND message.dormant_since = decision.dormant_since
        ) AS is_opened
    FROM cohort.decision AS decision
    GROUP BY decision.contact_id, decision.dormant_since
) AS said
WHERE
    episode.contact_id = said.contact_id AND episode.dormant_since = said.dormant_since;

DROP INDEX cohort.episode_sent;
CREATE INDEX episode_opened ON cohort.episode (last_sent_on) WHERE closed_on IS NULL AND is_opened;

-- What each gate said of a day.
CREATE TABLE cohort.gate (
    as_of date NOT NULL,
    gate text NOT NULL,               -- size, unsubscribes, budget, approval
    is_open boolean NOT NULL,
    measured double precision,        -- what it looked at, and the limit, in its own unit
    allowed double precision,
    said text NOT NULL,               -- for a person
    judged_at timestamptz NOT NULL,
    PRIMARY KEY (as_of, gate)
);

-- What a message is expected to cost, in the brand's currency, before the provider says.
ALTER TABLE outbox.message ADD COLUMN expected_price numeric NOT NULL DEFAULT 0;

-- What a day looks up by date, so that it does not read all that ever ended or was lifted.
CREATE INDEX outcome_by_day ON outcome.contact_outcome (decided_on);
CREATE INDEX suppression_lifted ON core.suppression (lifted_at) WHERE lifted_at IS NOT NULL;
CREATE INDEX message_draft ON outbox.message (as_of) WHERE status = 'draft';
