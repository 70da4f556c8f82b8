-- purpose: end a statement of this transaction that takes too long for a page
-- grain: one row; reads: nothing; writes: nothing
-- parameters: seconds (at most so many a statement)
-- twice: it holds for the transaction only
SELECT set_config('statement_timeout', cast(:seconds AS text) || 's', TRUE) AS statement_timeout;
