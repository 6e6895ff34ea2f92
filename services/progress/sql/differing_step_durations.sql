SELECT instance_id AS its_id, to_jsonb(used) AS used, to_jsonb(computed) AS computed
FROM public.step_durations AS used
FULL JOIN rebuilding.step_durations AS computed USING (instance_id, attempt, step)
WHERE used IS DISTINCT FROM computed
ORDER BY instance_id, attempt, step;
