-- Instances that hold nothing at a provider any more, whose whole history is projected.
SELECT id, version, sequence
FROM instances
WHERE id = ANY ($1::uuid[])
    AND updated_at < $2
    AND (snapshot #>> '{resources,released}')::boolean
    AND version = (SELECT count(*) FROM timeline WHERE instance_id = instances.id)
ORDER BY sequence;
