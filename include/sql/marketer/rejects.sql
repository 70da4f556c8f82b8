-- purpose: why rows could not be taken, ever and in the source's latest load
-- grain: source x reason; reads: raw.reject, raw.load; writes: nothing
-- parameters: none
-- twice: it only reads
WITH latest AS (
    SELECT
        source,
        max(load_id) AS load_id
    FROM raw.load
    GROUP BY source
)

SELECT
    reject.source,
    reject.reason,
    count(*) AS rejected,
    count(*) FILTER (WHERE reject.load_id = latest.load_id) AS rejected_latest
FROM raw.reject AS reject
LEFT JOIN latest ON reject.source = latest.source
GROUP BY reject.source, reject.reason
ORDER BY reject.source ASC, rejected DESC, reject.reason ASC;
