-- Make room for the next simulated world, in a database that holds nothing else.
-- Grain: all. Writes: outcome.eligible, outcome.experiment, outcome.effect. No parameters. Twice: the
-- same.
TRUNCATE outcome.eligible, outcome.experiment, outcome.effect;
