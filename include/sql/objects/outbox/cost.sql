-- What a message that went out cost, in one currency: what the provider said, or, where that is not
-- known or in another currency (or in credits), what the policy expects.
CREATE OR REPLACE FUNCTION outbox.cost(price numeric, currency text, expected numeric, in_currency text)
RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN coalesce(currency, in_currency) = in_currency THEN coalesce(price, expected) ELSE expected END;
