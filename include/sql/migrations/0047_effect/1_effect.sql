-- By which words contacts were drawn into the control group on a day, and at which share. NULL: the
-- day was decided before this was kept.
ALTER TABLE cohort.day ADD COLUMN control_salt text;
ALTER TABLE cohort.day ADD COLUMN control_share double precision;
COMMENT ON COLUMN cohort.day.control_salt IS 'the word that drew the control group; null: not kept yet';
COMMENT ON COLUMN cohort.day.control_share IS 'the share of all that it drew';

-- What is compared.
CREATE TYPE outcome.estimand AS ENUM (
    'ladder',  -- from when a contact was drawn to the end of the ladder
    'first_step',  -- within attribution_days of when a contact was drawn
    'loaded'  -- within the window of an experiment that was loaded from a file
);

-- An experiment: contacts who were drawn by chance into groups. What it looks for is settled when it
-- begins, and stays, so that nobody chooses it by what is seen.
CREATE TABLE outcome.experiment (
    experiment text PRIMARY KEY,
    salt text UNIQUE,
    control_arm text NOT NULL,
    began_on date NOT NULL,
    currency text NOT NULL,
    horizon_days integer NOT NULL CHECK (horizon_days > 0),
    attribution_days integer NOT NULL CHECK (attribution_days > 0),
    returns jsonb NOT NULL DEFAULT '{}',
    detect double precision NOT NULL,
    power double precision NOT NULL,
    winsorise double precision NOT NULL,
    base double precision,
    planned_units bigint,
    planned_through date,
    drawn_treated bigint NOT NULL DEFAULT 0,
    drawn_control bigint NOT NULL DEFAULT 0,
    expected_control double precision NOT NULL DEFAULT 0,
    ratio_p double precision,
    ratio_always_p double precision,
    mixed_phones bigint NOT NULL DEFAULT 0,
    open_units bigint NOT NULL DEFAULT 0,
    more_units bigint,
    more_weeks double precision,
    counted_on date,
    counted_at timestamptz
);
COMMENT ON COLUMN outcome.experiment.experiment IS 'salt:spring of the journey''s own; the name of a loaded one';
COMMENT ON COLUMN outcome.experiment.salt IS 'the word that drew the groups; null: loaded from a file';
COMMENT ON COLUMN outcome.experiment.control_arm IS 'the group that all others are held against';
COMMENT ON COLUMN outcome.experiment.currency IS 'of all its money; what was spent in another is left out';
COMMENT ON COLUMN outcome.experiment.horizon_days IS 'how long a contact is watched, of the whole ladder';
COMMENT ON COLUMN outcome.experiment.attribution_days IS 'how long, of the first step';
COMMENT ON COLUMN outcome.experiment.returns IS 'what counts as coming back, by clock: {"any": ["purchase"]}';
COMMENT ON COLUMN outcome.experiment.detect IS 'the difference that is to be seen: 0.01 is one point';
COMMENT ON COLUMN outcome.experiment.power IS 'how often an experiment of the planned size sees it';
COMMENT ON COLUMN outcome.experiment.winsorise IS 'the share of contacts who spent most that count as much as the next; 0: none';
COMMENT ON COLUMN outcome.experiment.base IS 'the share that comes back by itself, as the plan takes it; null: not known yet';
COMMENT ON COLUMN outcome.experiment.planned_units IS 'how many contacts the fixed interval needs';
COMMENT ON COLUMN outcome.experiment.planned_through IS 'the last day of those; null: not so many yet';
COMMENT ON COLUMN outcome.experiment.expected_control IS 'of all drawn, by the policy''s share on each one''s day';
COMMENT ON COLUMN outcome.experiment.ratio_p IS 'of a split at least as uneven, if it is drawn as it should be: chi-squared';
COMMENT ON COLUMN outcome.experiment.ratio_always_p IS 'the same, of all evenings together; the least so far';
COMMENT ON COLUMN outcome.experiment.mixed_phones IS 'phones whose contacts were drawn into different groups';
COMMENT ON COLUMN outcome.experiment.open_units IS 'contacts whose window on the ladder is not over';
COMMENT ON COLUMN outcome.experiment.more_units IS 'how many more are needed until the always-valid interval says something';
COMMENT ON COLUMN outcome.experiment.more_weeks IS 'about how long that takes at the pace of the last four weeks';

-- The first decision of a contact that would have sent something, since a salt began: the only one
-- that is drawn by chance alone. It never changes its group, whatever becomes of the contact.
CREATE TABLE outcome.eligible (
    contact_id bigint NOT NULL,
    salt text NOT NULL,
    dormant_since date NOT NULL,
    arm cohort.arm NOT NULL,
    eligible_on date NOT NULL,
    step text NOT NULL,
    behaviour text NOT NULL,
    control_share double precision NOT NULL,
    lifecycle_class text,
    language text,
    purchases_before integer NOT NULL,
    spent_before numeric NOT NULL,
    returned_on date,
    step_revenue numeric NOT NULL DEFAULT 0,
    ladder_revenue numeric NOT NULL DEFAULT 0,
    step_cost numeric NOT NULL DEFAULT 0,
    ladder_cost numeric NOT NULL DEFAULT 0,
    counted_on date,
    count_on date,
    PRIMARY KEY (contact_id, salt)
);
COMMENT ON COLUMN outcome.eligible.eligible_on IS 'as_of of that decision';
COMMENT ON COLUMN outcome.eligible.behaviour IS 'the clock of the quiet spell: which signals count';
COMMENT ON COLUMN outcome.eligible.control_share IS 'of that day';
COMMENT ON COLUMN outcome.eligible.purchases_before IS 'in the year up to that day';
COMMENT ON COLUMN outcome.eligible.spent_before IS 'in the year up to that day, in the experiment''s currency';
COMMENT ON COLUMN outcome.eligible.returned_on IS 'the first signal after that day, in the longer window';
COMMENT ON COLUMN outcome.eligible.step_revenue IS 'spent from the return to the end of the first step''s window, less what was given back';
COMMENT ON COLUMN outcome.eligible.ladder_revenue IS 'the same, to the end of the ladder';
COMMENT ON COLUMN outcome.eligible.step_cost IS 'of texts decided in the first step''s window';
COMMENT ON COLUMN outcome.eligible.ladder_cost IS 'of texts decided in the ladder''s window';
COMMENT ON COLUMN outcome.eligible.counted_on IS 'through which day the sources were complete when it was counted; null: not yet';
COMMENT ON COLUMN outcome.eligible.count_on IS 'when it is counted next; null: never';
-- Whose window has ended: an evening reads these and no others.
CREATE INDEX eligible_to_count ON outcome.eligible (count_on) WHERE count_on IS NOT NULL;
CREATE INDEX eligible_by_day ON outcome.eligible (eligible_on);

-- A row of an experiment that was loaded from a file.
CREATE TABLE outcome.experiment_unit (
    experiment text NOT NULL,
    unit text NOT NULL,
    arm text NOT NULL,
    eligible_on date NOT NULL,
    step text NOT NULL DEFAULT '',
    lifecycle_class text,
    language text,
    returned boolean NOT NULL,
    revenue numeric NOT NULL DEFAULT 0,
    cost numeric NOT NULL DEFAULT 0,
    PRIMARY KEY (experiment, unit)
);
COMMENT ON COLUMN outcome.experiment_unit.unit IS 'whose outcome it is, by the file''s own id';

-- What a group differs by from the control group: contacts by their first draw, whose window is over.
CREATE TABLE outcome.effect (
    experiment text NOT NULL,
    estimand outcome.estimand NOT NULL,
    arm text NOT NULL,
    step text NOT NULL,
    dimension text NOT NULL CHECK (
        dimension IN ('all', 'planned', 'step', 'class', 'language', 'month')
    ),
    value text NOT NULL,
    from_as_of date NOT NULL,
    to_as_of date NOT NULL,
    treated bigint NOT NULL,
    control bigint NOT NULL,
    treated_returned bigint NOT NULL,
    control_returned bigint NOT NULL,
    difference double precision NOT NULL,
    ci_low double precision NOT NULL,
    ci_high double precision NOT NULL,
    wald_low double precision NOT NULL,
    wald_high double precision NOT NULL,
    always_low double precision,
    always_high double precision,
    adjusted_difference double precision,
    adjusted_low double precision,
    adjusted_high double precision,
    incremental_returns double precision NOT NULL,
    treated_revenue numeric NOT NULL,
    control_revenue numeric NOT NULL,
    revenue_cap numeric,
    revenue_difference double precision NOT NULL,
    revenue_low double precision,
    revenue_high double precision,
    revenue_adjusted_difference double precision,
    revenue_adjusted_low double precision,
    revenue_adjusted_high double precision,
    incremental_revenue double precision NOT NULL,
    treated_cost numeric NOT NULL,
    control_cost numeric NOT NULL,
    cost_per_incremental_return double precision,
    cost_low double precision,
    cost_high double precision,
    PRIMARY KEY (experiment, estimand, arm, dimension, value)
);
COMMENT ON COLUMN outcome.effect.arm IS 'the group that is held against control; '''': all of them together';
COMMENT ON COLUMN outcome.effect.step IS 'the step at which they were drawn; '''': all';
COMMENT ON COLUMN outcome.effect.dimension IS
'all; planned: the first planned_units contacts, counted once; or a slice, which is exploratory';
COMMENT ON COLUMN outcome.effect.value IS 'of the dimension; '''': not known, or of all';
COMMENT ON COLUMN outcome.effect.from_as_of IS 'of the first draw in it';
COMMENT ON COLUMN outcome.effect.to_as_of IS 'of the last draw in it';
COMMENT ON COLUMN outcome.effect.difference IS 'of the shares that came back, treated less control';
COMMENT ON COLUMN outcome.effect.ci_low IS
'95 %, Newcombe''s hybrid score: of a single look at these contacts, chosen beforehand';
COMMENT ON COLUMN outcome.effect.ci_high IS 'as ci_low';
COMMENT ON COLUMN outcome.effect.wald_low IS '95 %, as older papers print it; only to compare';
COMMENT ON COLUMN outcome.effect.wald_high IS 'as wald_low';
COMMENT ON COLUMN outcome.effect.always_low IS '95 %, however often somebody looks; only of all contacts';
COMMENT ON COLUMN outcome.effect.always_high IS 'as always_low';
COMMENT ON COLUMN outcome.effect.adjusted_difference IS
'post-stratified by step, class, language, purchases before and the control share; only of all contacts';
COMMENT ON COLUMN outcome.effect.adjusted_low IS '95 %, of a single look';
COMMENT ON COLUMN outcome.effect.adjusted_high IS '95 %, of a single look';
COMMENT ON COLUMN outcome.effect.incremental_returns IS 'difference times treated';
COMMENT ON COLUMN outcome.effect.treated_revenue IS 'of all of them, nothing cut down';
COMMENT ON COLUMN outcome.effect.control_revenue IS 'of all of them, nothing cut down';
COMMENT ON COLUMN outcome.effect.revenue_cap IS 'a contact who spent more counts as much; null: nobody is cut down';
COMMENT ON COLUMN outcome.effect.revenue_difference IS 'a contact, cut down at revenue_cap';
COMMENT ON COLUMN outcome.effect.revenue_low IS '95 %, Welch, of a single look';
COMMENT ON COLUMN outcome.effect.revenue_high IS '95 %, Welch, of a single look';
COMMENT ON COLUMN outcome.effect.revenue_adjusted_difference IS
'what they spent in the year before taken out (CUPED); only of all contacts';
COMMENT ON COLUMN outcome.effect.incremental_revenue IS 'revenue_difference times treated';
COMMENT ON COLUMN outcome.effect.cost_per_incremental_return IS
'what the treated cost more, over their incremental returns; null: none came back because of it';
COMMENT ON COLUMN outcome.effect.cost_low IS '95 %, Fieller; null: it has no bounds';
COMMENT ON COLUMN outcome.effect.cost_high IS '95 %, Fieller; null: it has no bounds';
