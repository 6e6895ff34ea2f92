SELECT instance_id AS instance_id, to_jsonb(used) AS used, to_jsonb(computed) AS computed
FROM public.timeline AS used
FULL JOIN rebuilding.timeline AS computed USING (instance_id, version)
WHERE to_jsonb(used) IS DISTINCT FROM to_jsonb(computed)
ORDER BY instance_id, version;
