-- The lines of the waterfall, from top to bottom: who was evaluated, the reasons in the order in
-- which they are checked, who is left to be written to, and what became of the texts.
-- Grain: stage. Reads: the enum cohort.reason.
CREATE OR REPLACE VIEW cohort.waterfall_stage AS
SELECT
    stages.place,
    stages.stage
FROM
    unnest(
        ARRAY['dormant']
        || array_remove(CAST(enum_range(CAST(NULL AS cohort.reason)) AS text[]), 'due')
        || ARRAY['due', 'drafted', 'sent', 'delivered']
    ) WITH ORDINALITY AS stages (stage, place);
