-- Where it is noted who of the kin is one person.
-- Grain: card or id. Writes: the temporary table person: the node, and the number of its person. No
-- parameters. Gone with the transaction.
DROP TABLE IF EXISTS person;

CREATE TEMPORARY TABLE person (node integer PRIMARY KEY, person integer NOT NULL) ON COMMIT DROP;
