-- An experiment begins with each word that draws a control group: what it looks for is written down.
-- Grain: experiment. Reads: cohort.day. Writes: outcome.experiment. Parameters: currency,
-- horizon_days, attribution_days, returns, detect, power, winsorise, base. Twice: the first stands.
INSERT INTO outcome.experiment (
    experiment, salt, control_arm, began_on, currency, horizon_days, attribution_days, returns,
    detect, power, winsorise, base
)
SELECT
    'salt:' || day.control_salt,
    day.control_salt,
    'control',
    min(day.as_of),
    :currency,
    :horizon_days,
    :attribution_days,
    CAST(:returns AS jsonb),
    :detect,
    :power,
    :winsorise,
    CAST(:base AS double precision)
FROM cohort.day AS day
WHERE day.control_share > 0
GROUP BY day.control_salt
ON CONFLICT (experiment) DO NOTHING;
