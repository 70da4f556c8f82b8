ALTER TABLE history.cohort_day
ADD COLUMN due bigint,
ADD COLUMN would_send bigint,
ADD COLUMN segments bigint,
ADD COLUMN cost numeric,
ADD COLUMN policy_version text;

COMMENT ON COLUMN history.cohort_day.entered IS 'came to stand at the step on that day';
COMMENT ON COLUMN history.cohort_day.dormant IS 'stand at the step at the end of the day';
COMMENT ON COLUMN history.cohort_day.due IS 'decided on that day; null: replayed before this was kept';
COMMENT ON COLUMN history.cohort_day.would_send IS 'of those due, who would have been written to';
COMMENT ON COLUMN history.cohort_day.segments IS 'of their texts; a text that cannot be made has none';
COMMENT ON COLUMN history.cohort_day.cost IS 'of the segments, by the policy''s prices, in the brand''s currency';

CREATE TABLE history.cohort_reason (
    scenario text NOT NULL,
    as_of date NOT NULL,
    step text NOT NULL,
    action cohort.action NOT NULL,
    reason cohort.reason NOT NULL,
    contacts bigint NOT NULL,
    PRIMARY KEY (scenario, as_of, step, reason)
);

COMMENT ON COLUMN history.cohort_reason.contacts IS 'of the day''s due, for whom it was decided so';

-- Kept on request.
CREATE TABLE history.audience (
    contact_id bigint NOT NULL,
    scenario text NOT NULL,
    as_of date NOT NULL,
    step text NOT NULL,
    reason cohort.reason NOT NULL,
    PRIMARY KEY (contact_id, scenario, as_of)
);

COMMENT ON COLUMN history.audience.reason IS '`due`: would have been written to; others: why not';

CREATE INDEX audience_by_day ON history.audience (scenario, as_of);
