-- Where the rows of a loaded experiment wait until all of them are read; gone with the transaction.
-- Grain: unit. Writes: the temporary table staged_unit. No parameters. Twice: it is empty again.
DROP TABLE IF EXISTS staged_unit;

CREATE TEMPORARY TABLE staged_unit (
    unit text NOT NULL,
    arm text NOT NULL,
    eligible_on date NOT NULL,
    step text NOT NULL,
    lifecycle_class text,
    language text,
    returned boolean NOT NULL,
    revenue numeric NOT NULL,
    cost numeric NOT NULL
) ON COMMIT DROP;
