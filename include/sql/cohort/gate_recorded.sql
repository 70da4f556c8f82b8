-- What the gates said of a day.
-- Grain: gate. Reads: cohort.gate. Parameters: as_of. Writes nothing.
SELECT
    gate.gate,
    gate.is_open,
    gate.measured,
    gate.allowed,
    gate.said
FROM cohort.gate AS gate
WHERE gate.as_of = :as_of
ORDER BY gate.gate;
