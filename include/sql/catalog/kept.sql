-- What gives a view or function, made anew, its owner and grants back.
-- Grain: statement, in their order. Reads: core.object. Parameters: name. Writes nothing.
SELECT statement.text
FROM core.object AS object
CROSS JOIN LATERAL unnest(object.kept) WITH ORDINALITY AS statement (text, place)
WHERE object.name = :name
ORDER BY statement.place;
