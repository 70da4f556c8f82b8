-- purpose: whether invented purchases of the simulated recipients are among the interactions.
--          Asked of the loads, each of which names its source: the interactions have no index by
--          source, and a page must not read all of them
-- grain: one row; reads: raw.load (by load_by_source); writes: nothing
-- parameters: none
-- twice: it only reads
SELECT exists(
    SELECT FROM raw.load
    WHERE source = 'sandbox' AND rows_loaded > 0
) AS has_invented;
