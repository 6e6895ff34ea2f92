-- $1: the installation; $2: the last sequence of its stream. Only the first note counts.
INSERT INTO beginnings (installation, lost_events)
SELECT
    $1,
    CASE
        WHEN EXISTS (SELECT FROM api_keys) OR EXISTS (SELECT FROM organizations)
            OR EXISTS (SELECT FROM models) OR EXISTS (SELECT FROM usage) THEN 0
        ELSE $2
    END
ON CONFLICT (installation) DO NOTHING
