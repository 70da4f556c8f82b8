-- Make the partition of core.interaction for a day's month, where there is none. Readers and writers
-- of other months go on meanwhile. What is from before 1990 stands in one: some date that nobody
-- entered.
-- Returns: the partition, schema.name. Writes: the catalog. Twice: it is there.
CREATE OR REPLACE FUNCTION core.add_month(on_day date) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    first_day date := date_trunc('month', CAST(on_day AS timestamp));
    is_early boolean := on_day < date '1990-01-01';
    partition text := 'interaction_'
        || CASE WHEN is_early THEN 'before_1990' ELSE to_char(first_day, 'YYYY_MM') END;
BEGIN
    IF to_regclass('core.' || partition) IS NULL THEN
        EXECUTE format('CREATE TABLE core.%I (LIKE core.interaction INCLUDING ALL)', partition);
        EXECUTE format(
            'ALTER TABLE core.interaction ATTACH PARTITION core.%I FOR VALUES FROM (%s) TO (%L)',
            partition,
            CASE WHEN is_early THEN 'MINVALUE' ELSE quote_literal(first_day) END,
            CASE WHEN is_early THEN '1990-01-01' ELSE first_day + interval '1 month' END
        );
    END IF;
    RETURN 'core.' || partition;
END
$$;
