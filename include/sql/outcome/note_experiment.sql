-- Where an experiment stands this evening. What the plan takes for granted is noted once.
-- Grain: experiment. Writes: outcome.experiment. Parameters: its columns; counted_on, counted_at.
-- Twice: the same.
UPDATE outcome.experiment AS experiment
SET
    base = coalesce(experiment.base, CAST(:base AS double precision)),
    planned_units = coalesce(experiment.planned_units, CAST(:planned_units AS bigint)),
    planned_through = coalesce(experiment.planned_through, CAST(:planned_through AS date)),
    drawn_treated = :drawn_treated,
    drawn_control = :drawn_control,
    expected_control = :expected_control,
    ratio_p = :ratio_p,
    ratio_always_p = :ratio_always_p,
    mixed_phones = :mixed_phones,
    open_units = :open_units,
    more_units = :more_units,
    more_weeks = :more_weeks,
    counted_on = :counted_on,
    counted_at = :counted_at
WHERE experiment.experiment = :experiment;
