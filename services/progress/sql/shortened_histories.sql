-- Instances and deployments whose first event is in the tables in use, and not in those that are to replace them.
SELECT (
    SELECT count(*)
    FROM public.timeline AS used
    JOIN rebuilding.instances ON id = used.instance_id
    WHERE used.version = 1
        AND NOT EXISTS (SELECT FROM rebuilding.timeline AS made WHERE made.instance_id = id AND made.version = 1)
) + (
    SELECT count(*)
    FROM public.deployment_timeline AS used
    JOIN rebuilding.deployments ON id = used.deployment_id
    WHERE used.version = 1
        AND NOT EXISTS (
            SELECT FROM rebuilding.deployment_timeline AS made WHERE made.deployment_id = id AND made.version = 1
        )
);
