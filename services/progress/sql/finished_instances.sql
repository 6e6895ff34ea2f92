-- Instances that hold nothing at a provider any more, not even a machine image, whose whole history is projected.
SELECT id, version, sequence
FROM instances
WHERE id = ANY ($1::uuid[])
    AND updated_at < $2
    AND (snapshot #>> '{resources,released}')::boolean
    AND (snapshot #>> '{stored_image,id}' IS NULL OR snapshot #>> '{stored_image,deleted_at}' IS NOT NULL)
    AND version = (SELECT count(*) FROM timeline WHERE instance_id = instances.id)
ORDER BY sequence;
