-- A field that an older version did not have is missing in its events. That is no difference.
WITH unequal AS MATERIALIZED (
    SELECT deployment_id, version, used, computed
    FROM public.deployment_timeline AS used
    FULL JOIN rebuilding.deployment_timeline AS computed USING (deployment_id, version)
    WHERE used IS DISTINCT FROM computed
)
SELECT deployment_id AS its_id, to_jsonb(used) AS used, expected.row AS computed
FROM unequal
CROSS JOIN LATERAL (
    SELECT to_jsonb(computed) || jsonb_build_object('data', (computed).data - ARRAY(
        SELECT jsonb_object_keys((computed).data) EXCEPT SELECT jsonb_object_keys((used).data)
    )) AS row
) AS expected
WHERE to_jsonb(used) IS DISTINCT FROM expected.row
ORDER BY deployment_id, version;
