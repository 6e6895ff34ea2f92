SELECT id AS instance_id, to_jsonb(used) AS used, to_jsonb(computed) AS computed
FROM public.instances AS used
FULL JOIN rebuilding.instances AS computed USING (id)
WHERE to_jsonb(used) IS DISTINCT FROM to_jsonb(computed)
ORDER BY id;
