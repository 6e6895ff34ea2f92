-- A field that an older version did not have is missing in its snapshots. That is no difference.
WITH unequal AS MATERIALIZED (
    SELECT id, used, computed
    FROM public.instances AS used
    FULL JOIN rebuilding.instances AS computed USING (id)
    WHERE used IS DISTINCT FROM computed
)
SELECT id AS its_id, to_jsonb(used) AS used, expected.row AS computed
FROM unequal
CROSS JOIN LATERAL (
    SELECT to_jsonb(computed) || jsonb_build_object('snapshot', (computed).snapshot - ARRAY(
        SELECT jsonb_object_keys((computed).snapshot) EXCEPT SELECT jsonb_object_keys((used).snapshot)
    )) AS row
) AS expected
WHERE to_jsonb(used) IS DISTINCT FROM expected.row
ORDER BY id;
