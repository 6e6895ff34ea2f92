-- Instances whose first event is in the tables in use, and not in those that are to replace them.
SELECT count(*)
FROM public.timeline AS used
JOIN rebuilding.instances ON id = used.instance_id
WHERE used.version = 1
    AND NOT EXISTS (SELECT FROM rebuilding.timeline AS made WHERE made.instance_id = id AND made.version = 1);
