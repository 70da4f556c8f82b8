-- Who was drawn, whether their window is over or not, by the share of the control group on the day.
-- Grain: control_share. Reads: outcome.eligible, outcome.experiment. Writes nothing.
-- Parameters: experiment, since: of the latest. open_units: whose window on the ladder is not over.
SELECT
    eligible.control_share,
    count(*) FILTER (WHERE eligible.arm = 'treatment') AS treated,
    count(*) FILTER (WHERE eligible.arm = 'control') AS control,
    count(*) FILTER (
        WHERE
        coalesce(eligible.counted_on < eligible.eligible_on + experiment.horizon_days, TRUE)
    ) AS open_units,
    count(*) FILTER (WHERE eligible.eligible_on > CAST(:since AS date)) AS lately
FROM outcome.eligible AS eligible
INNER JOIN outcome.experiment AS experiment ON eligible.salt = experiment.salt
WHERE experiment.experiment = :experiment AND eligible.control_share > 0
GROUP BY eligible.control_share
ORDER BY eligible.control_share;
