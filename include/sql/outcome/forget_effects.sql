-- Make room for an experiment's comparisons of this evening. What was counted on the planned contacts
-- was counted once, and stays.
-- Grain: comparison. Writes: outcome.effect. Parameters: experiment. Twice: nothing is left.
DELETE FROM outcome.effect AS effect
WHERE effect.experiment = :experiment AND effect.dimension <> 'planned';
