-- One experiment: what was settled when it began, and where it stands.
-- Grain: one row. Reads: outcome.experiment, outcome.experiment_unit. Parameters: experiment. Writes
-- nothing. has_any: it has several groups beside control, which are held against it together, too.
SELECT
    experiment.experiment,
    experiment.salt,
    experiment.began_on,
    experiment.horizon_days,
    experiment.detect,
    experiment.power,
    experiment.base,
    experiment.planned_units,
    experiment.planned_through,
    experiment.ratio_always_p,
    (
        SELECT count(DISTINCT loaded.arm) > 2
        FROM outcome.experiment_unit AS loaded
        WHERE loaded.experiment = experiment.experiment
    ) AS has_any
FROM outcome.experiment AS experiment
WHERE experiment.experiment = :experiment;
