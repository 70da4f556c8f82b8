-- A figure is of one currency, the brand's: what came in others stands beside it, by currency, and is
-- never added to it. {"JPY": 10000}; "?" is a currency that could not be read.
ALTER TABLE outcome.daily_step ADD COLUMN other_revenue jsonb NOT NULL DEFAULT '{}';
ALTER TABLE outcome.contact_outcome ADD COLUMN other_revenue jsonb NOT NULL DEFAULT '{}';
