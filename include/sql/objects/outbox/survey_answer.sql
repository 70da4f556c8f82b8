-- The surveys, answer by answer.
-- Grain: message, question and answer: each one of several choices is a row. Reads: outbox.survey.
CREATE OR REPLACE VIEW outbox.survey_answer AS
SELECT
    survey.contact_id,
    survey.message_id,
    survey.step,
    survey.answered_at,
    answer.key AS question,
    chosen.value #>> '{}' AS answer
FROM outbox.survey AS survey
CROSS JOIN jsonb_each(survey.answers) AS answer
CROSS JOIN LATERAL jsonb_array_elements(
    CASE
        WHEN jsonb_typeof(answer.value) = 'array' THEN answer.value
        ELSE jsonb_build_array(answer.value)
    END
) AS chosen;
