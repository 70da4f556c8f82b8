-- The signals that last_signal_on was made with, if it was.
-- Grain: one row or none. Reads: core.derived_from. No parameters.
SELECT derived.value FROM core.derived_from AS derived WHERE derived.name = 'signals';
