-- The experiments of the journey of which something is still to be counted.
-- Grain: experiment. Reads: outcome.experiment, outcome.eligible. Writes nothing. No parameters.
SELECT experiment.experiment
FROM outcome.experiment AS experiment
WHERE
    (experiment.salt, experiment.draw) IN (
        SELECT
            eligible.salt,
            eligible.draw
        FROM outcome.eligible AS eligible
        WHERE eligible.count_on IS NOT NULL
    )
ORDER BY experiment.experiment;
