-- history: replays of past days. Nothing here ever sends.
CREATE SCHEMA history;

-- entered: contacts that reached the step's threshold on as_of; dormant: contacts at the step.
CREATE TABLE history.cohort_day (
    scenario text NOT NULL,
    as_of date NOT NULL,
    step text NOT NULL,
    entered bigint NOT NULL,
    dormant bigint NOT NULL,
    PRIMARY KEY (scenario, as_of, step)
);

-- Of the contacts that reached inactive_days, those that came back within so many days more,
-- counted where that many days could be watched. Without any message: the baseline.
CREATE TABLE history.return_curve (
    scenario text NOT NULL,
    inactive_days integer NOT NULL,
    within_days integer NOT NULL,
    at_risk bigint NOT NULL,
    returned bigint NOT NULL,
    PRIMARY KEY (scenario, inactive_days, within_days)
);
