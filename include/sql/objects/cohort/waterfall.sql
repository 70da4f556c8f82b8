-- Each decided day, all steps together; a day on which nobody was due has its lines too, with 0.
-- Grain: day and stage. Reads: cohort.day, cohort.waterfall_stage, cohort.waterfall_by_step.
CREATE OR REPLACE VIEW cohort.waterfall AS
SELECT
    day.as_of,
    line.place,
    line.stage,
    line.contacts,
    line.left_over,
    before.as_of AS previous_as_of,
    CASE WHEN before.as_of IS NOT NULL THEN line.previous_contacts END AS previous_contacts,
    CASE WHEN before.as_of IS NOT NULL THEN line.contacts - line.previous_contacts END AS difference
FROM cohort.day AS day
CROSS JOIN
    LATERAL (
        SELECT max(earlier.as_of) AS as_of
        FROM cohort.day AS earlier
        WHERE earlier.as_of < day.as_of
    ) AS before
CROSS JOIN
    LATERAL (
        SELECT
            stages.place,
            stages.stage,
            CAST(coalesce(sum(step.contacts), 0) AS bigint) AS contacts,
            CAST(coalesce(sum(step.left_over), 0) AS bigint) AS left_over,
            CAST(coalesce(sum(step.previous_contacts), 0) AS bigint) AS previous_contacts
        FROM cohort.waterfall_stage AS stages
        LEFT JOIN
            (
                SELECT
                    by_step.stage,
                    by_step.contacts,
                    by_step.left_over,
                    by_step.previous_contacts
                FROM cohort.waterfall_by_step AS by_step
                WHERE by_step.as_of = day.as_of
            ) AS step
            ON stages.stage = step.stage
        GROUP BY stages.place, stages.stage
    ) AS line;
