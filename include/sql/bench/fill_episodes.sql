-- The ladders of the contacts who are long gone: all of it was tried, and is over.
-- Grain: contact × dormant_since. Reads: core.contact_activity. Writes: cohort.episode,
-- outcome.contact_outcome. Parameters: gone_on (nobody was seen since), step_days,
-- close_after_days. Twice: refused by the primary key; it runs once in a database of its own.
INSERT INTO cohort.episode (
    contact_id, dormant_since, opened_on, last_action, last_final_on, closed_on
)
SELECT
    gone.contact_id,
    gone.dormant_since,
    gone.dormant_since + ladder.first_days,
    'hold',
    gone.dormant_since + ladder.last_days,
    gone.dormant_since + ladder.last_days + CAST(:close_after_days AS integer)
FROM (
    SELECT
        activity.contact_id,
        coalesce(activity.last_signal_on, activity.visible_on) AS dormant_since
    FROM core.contact_activity AS activity
) AS gone
CROSS JOIN (
    SELECT
        min(rung.days) AS first_days,
        max(rung.days) AS last_days
    FROM unnest(CAST(:step_days AS integer[])) AS rung (days)
) AS ladder
WHERE gone.dormant_since <= :gone_on;

INSERT INTO outcome.contact_outcome (contact_id, dormant_since, outcome, decided_on, steps_sent)
SELECT
    episode.contact_id,
    episode.dormant_since,
    'unreachable',
    episode.closed_on,
    0
FROM cohort.episode AS episode;
