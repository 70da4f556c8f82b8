-- Take a loaded experiment from its staged rows, in place of what was loaded under its name before.
-- Nothing is cut down of its money, so that what others have published of it comes out again.
-- Grain: unit. Reads: the temporary table staged_unit. Writes: outcome.experiment,
-- outcome.experiment_unit, outcome.effect. Parameters: experiment, control_arm, currency, detect,
-- power. Twice: the same.
DELETE FROM outcome.effect AS effect WHERE effect.experiment = :experiment;

DELETE FROM outcome.experiment_unit AS loaded WHERE loaded.experiment = :experiment;

INSERT INTO outcome.experiment (
    experiment, control_arm, began_on, currency, horizon_days, attribution_days, detect, power,
    winsorise
)
SELECT
    :experiment,
    :control_arm,
    min(staged_unit.eligible_on),
    :currency,
    1,
    1,
    :detect,
    :power,
    0
FROM staged_unit
ON CONFLICT (experiment) DO UPDATE
    SET
        control_arm = excluded.control_arm,
        began_on = excluded.began_on,
        currency = excluded.currency,
        detect = excluded.detect,
        power = excluded.power;

INSERT INTO outcome.experiment_unit (
    experiment, unit, arm, eligible_on, step, lifecycle_class, language, returned, revenue, cost
)
SELECT
    :experiment,
    staged_unit.unit,
    staged_unit.arm,
    staged_unit.eligible_on,
    staged_unit.step,
    staged_unit.lifecycle_class,
    staged_unit.language,
    staged_unit.returned,
    staged_unit.revenue,
    staged_unit.cost
FROM staged_unit;
