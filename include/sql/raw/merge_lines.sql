-- Make one row of the rows of a file that share a key: the lines of an order, wherever they stand in
-- the file. A field is what the last line says that says anything, and a line that gives back is
-- asked last; a row that lacks its customer or its time is an order's line all the same, and is
-- rejected only where no other line says it.
--
-- A status takes out its own line: what it says counts only where no other line says it, its amount
-- not at all. The order is none where every line that has a status is taken out; a line without one
-- goes with the others. Where lines name different customers the last one's
-- count, as if the others had not been there; those of another day are rejected.
--
-- The amount is the first that is more than nothing, or the sum of them (are_added), less what is
-- given back: a line of less than nothing. An order that is given back whole is none, unless a coupon
-- has paid for it in the same moment. Amounts in another currency than the order's are left out.
--
-- The record keeps what every line said; the hash is of all lines, so that a changed one replaces
-- the whole order.
--
-- Grain: order of several lines; returns one row: of how many keys the lines name different customers
-- (shared), and of how many the amounts differ (unlike). Writes: staged. Parameters: are_added;
-- most_lines: a key that more rows share names no order, and its rows are rejected; currency: where
-- no line says one. Twice: nothing is left to merge.
DROP TABLE IF EXISTS several;

CREATE TEMPORARY TABLE several ON COMMIT DROP AS
SELECT
    staged.record_key,
    count(*) AS lines
FROM staged
WHERE staged.record_key IS NOT NULL
GROUP BY staged.record_key
HAVING count(*) > 1;

ANALYZE several;

UPDATE staged
SET
    record_key = NULL,
    reason = 'shares its source_event_id with more than '
    || to_char(CAST(:most_lines AS integer), 'FM999,999') || ' rows, so that is no order''s id'
FROM several
WHERE
    staged.record_key = several.record_key
    AND several.lines > CAST(:most_lines AS integer);

DROP TABLE IF EXISTS merged;

CREATE TEMPORARY TABLE merged ON COMMIT DROP AS
WITH line AS (
    SELECT
        staged.*,
        first_value(staged.source_contact_id) OVER (
            PARTITION BY staged.record_key
            ORDER BY staged.source_contact_id IS NULL, staged.line DESC
        ) AS customer,
        first_value(staged.contact_source) OVER (
            PARTITION BY staged.record_key
            ORDER BY staged.source_contact_id IS NULL, staged.line DESC
        ) AS customer_source
    FROM staged
    INNER JOIN several ON staged.record_key = several.record_key
),

theirs AS (
    SELECT
        line.*,
        coalesce(
            bool_or(line.has_status AND NOT line.is_excluded) OVER order_of_lines, FALSE
        ) AS is_kept,
        bool_or(line.is_excluded) OVER order_of_lines AS has_taken_out
    FROM line
    WHERE line.source_contact_id IS NULL OR line.source_contact_id = line.customer
    WINDOW order_of_lines AS (PARTITION BY line.record_key)
),

part AS (
    SELECT
        theirs.*,
        NOT theirs.is_kept AND theirs.has_taken_out AS is_none,
        theirs.is_kept AND theirs.is_excluded AND theirs.has_status AS is_out,
        coalesce(theirs.amount < 0 OR theirs.kind = 'refund', FALSE) AS is_back,
        first_value(theirs.currency) OVER (
            PARTITION BY theirs.record_key ORDER BY theirs.currency IS NULL, theirs.line
        ) AS order_currency,
        coalesce(
            theirs.currency = first_value(theirs.currency) OVER (
                PARTITION BY theirs.record_key ORDER BY theirs.currency IS NULL, theirs.line
            ), TRUE
        )
        AND NOT (theirs.is_kept AND theirs.is_excluded AND theirs.has_status) AS is_summed
    FROM theirs
),

summed AS (
    SELECT
        part.record_key,
        min(part.line) AS line,
        bool_or(part.is_none) AS is_none,
        min(part.customer) AS source_contact_id,
        min(part.customer_source) AS contact_source,
        (array_agg(part.kind ORDER BY part.is_out ASC, part.is_back ASC, part.line DESC) FILTER (WHERE part.kind <> 'none'))[1] AS kind,
        (array_agg(part.occurred_at ORDER BY part.is_out ASC, part.is_back ASC, part.line DESC) FILTER (WHERE part.occurred_at IS NOT NULL))[1]
            AS occurred_at,
        (array_agg(part.dated_on ORDER BY part.is_out ASC, part.is_back ASC, part.line DESC) FILTER (WHERE part.dated_on IS NOT NULL))[1]
            AS dated_on,
        min(part.order_currency) AS currency,
        (array_agg(part.product_id ORDER BY part.is_out ASC, part.is_back ASC, part.line DESC) FILTER (WHERE part.product_id IS NOT NULL))[1]
            AS product_id,
        left(string_agg(DISTINCT part.coupon_code, ', ') FILTER (WHERE NOT part.is_out), 500) AS coupon_code,
        -- What the lines ask for, and what they give back.
        CASE
            WHEN CAST(:are_added AS boolean)
                THEN sum(part.amount) FILTER (WHERE part.amount > 0 AND part.is_summed)
            ELSE
                (array_agg(part.amount ORDER BY part.is_out, part.line) FILTER (WHERE part.amount > 0 AND part.is_summed))[1]
        END AS asked,
        coalesce(sum(part.amount) FILTER (WHERE part.amount < 0 AND part.is_summed), 0) AS given_back,
        CASE
            WHEN CAST(:are_added AS boolean)
                THEN sum(part.amount) FILTER (WHERE part.amount <= 0 AND part.is_summed)
            ELSE
                (array_agg(part.amount ORDER BY part.is_out, part.line) FILTER (WHERE part.amount <= 0 AND part.is_summed))[1]
        END AS nothing_asked,
        count(DISTINCT part.occurred_at) <= 1 AS is_one_moment,
        count(DISTINCT part.amount) FILTER (WHERE part.amount > 0 AND part.is_summed) > 1 AS is_unlike,
        bool_or(part.has_status) AS has_status
    FROM part
    GROUP BY part.record_key
),

said AS (
    SELECT
        line.record_key,
        jsonb_build_object('lines', jsonb_agg(line.record ORDER BY line.line)) AS record,
        -- As of one line: the meaning that it was read by, then a hash of what it said.
        left(min(line.record_hash), 8)
        || md5(string_agg(line.record_hash, '' ORDER BY line.line)) AS record_hash,
        min(line.source_contact_id) <> max(line.source_contact_id) AS is_shared,
        min(line.reason) AS reason
    FROM line
    GROUP BY line.record_key
),

troubled AS (
    SELECT
        part.record_key,
        jsonb_object_agg(problem.name, problem.why) AS problems
    FROM part
    CROSS JOIN LATERAL jsonb_each(part.problems) AS problem (name, why)
    WHERE NOT part.is_out
    GROUP BY part.record_key
)

SELECT
    summed.record_key,
    summed.line,
    CASE
        WHEN summed.source_contact_id IS NULL OR summed.occurred_at IS NULL THEN said.reason
    END AS reason,
    said.record_hash,
    said.record,
    troubled.problems,
    summed.dated_on,
    summed.is_none
    OR (
        summed.asked + summed.given_back <= 0
        AND NOT (
            summed.asked + summed.given_back = 0
            AND summed.coupon_code IS NOT NULL
            AND summed.is_one_moment
        )
    ) IS TRUE AS is_excluded,
    summed.has_status,
    summed.contact_source,
    summed.source_contact_id,
    coalesce(summed.kind, 'none') AS kind,
    summed.occurred_at,
    coalesce(summed.asked + summed.given_back, summed.nothing_asked) AS amount,
    summed.currency,
    summed.product_id,
    summed.coupon_code,
    said.is_shared,
    summed.is_unlike
FROM summed
INNER JOIN said ON summed.record_key = said.record_key
LEFT JOIN troubled ON summed.record_key = troubled.record_key;

-- Another customer's order of another day is no line of this one: its number has begun anew.
UPDATE staged
SET
    record_key = NULL,
    reason = 'has the source_event_id of another customer''s order of another day, so that is no order''s id'
FROM merged
WHERE
    staged.record_key = merged.record_key
    AND merged.reason IS NULL
    AND staged.reason IS NULL
    AND NOT staged.is_excluded
    AND staged.source_contact_id <> merged.source_contact_id
    AND staged.dated_on <> merged.dated_on;

-- What lacks something to the end is told row by row.
DELETE FROM staged
USING merged
WHERE
    staged.record_key = merged.record_key
    AND (merged.reason IS NULL OR merged.is_excluded);

INSERT INTO staged (
    line, reason, record_key, record_hash, dated_on, is_excluded, has_status, problems, record,
    contact_source, source_contact_id, kind, occurred_at, amount, currency, product_id, coupon_code
)
SELECT
    merged.line,
    NULL AS reason,
    merged.record_key,
    merged.record_hash,
    merged.dated_on,
    merged.is_excluded,
    merged.has_status,
    merged.problems,
    merged.record,
    merged.contact_source,
    merged.source_contact_id,
    merged.kind,
    merged.occurred_at,
    merged.amount,
    merged.currency,
    merged.product_id,
    merged.coupon_code
FROM merged
WHERE merged.reason IS NULL;

-- No fact, and it could not be one either.
DELETE FROM staged
WHERE staged.reason IS NOT NULL AND staged.record_key IS NOT NULL AND staged.is_excluded;

UPDATE staged
SET currency = :currency
WHERE
    staged.currency IS NULL
    AND staged.reason IS NULL
    AND staged.problems -> 'currency' IS NULL;

SELECT
    count(*) FILTER (WHERE merged.is_shared) AS shared,
    count(*) FILTER (WHERE merged.is_unlike) AS unlike
FROM merged;
