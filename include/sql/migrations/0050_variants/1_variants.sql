-- Two texts or offers of one step: which of them a contact is drawn into.
ALTER TABLE cohort.day ADD COLUMN variants jsonb;
COMMENT ON COLUMN cohort.day.variants IS 'how those of steps were drawn: policy.variants; null: no step has any';

ALTER TABLE cohort.decision ADD COLUMN variant text;
COMMENT ON COLUMN cohort.decision.variant IS
'of the step, where nothing stood in the way; null: none, or it has one text';

ALTER TABLE outbox.message ADD COLUMN variant text;
COMMENT ON COLUMN outbox.message.variant IS 'of the step, whose text it is; null: the step has one';

-- A salt draws the control group, and the variants of each step of their own. What draws is the step
-- and the names of both, so that another pair begins anew.
ALTER TABLE outcome.experiment ADD COLUMN draw text NOT NULL DEFAULT '';
ALTER TABLE outcome.experiment DROP CONSTRAINT experiment_salt_key;
ALTER TABLE outcome.experiment ADD UNIQUE (salt, draw);
COMMENT ON COLUMN outcome.experiment.draw IS
'what was drawn: '''', the control group; survey/a/b, the variants of a step';
COMMENT ON COLUMN outcome.experiment.experiment IS
'salt:spring of the journey''s own, and salt:spring:survey/a/b of variants; the name of a loaded one';

ALTER TABLE outcome.eligible ADD COLUMN draw text NOT NULL DEFAULT '';
ALTER TABLE outcome.eligible ADD COLUMN variant text;
ALTER TABLE outcome.eligible DROP CONSTRAINT eligible_pkey;
ALTER TABLE outcome.eligible ADD PRIMARY KEY (contact_id, salt, draw);
COMMENT ON COLUMN outcome.eligible.draw IS
'what was drawn: '''', the control group; survey/a/b, the variants of a step';
COMMENT ON COLUMN outcome.eligible.variant IS 'of the step, by that decision; null: it has one text';
COMMENT ON COLUMN outcome.eligible.control_share IS
'of that day: of the control group, or of the variant that the other is held against';
