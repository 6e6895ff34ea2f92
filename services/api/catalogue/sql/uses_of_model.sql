-- What still uses the model: its offerings, its deployments, and its instances that are not gone.
-- $1: the model's UUID. $2: its id on the hub. $3: the statuses of instances that are gone.
SELECT
    (SELECT count(*) FROM instances WHERE model = $2 AND status <> ALL ($3::text[])) AS instances,
    (SELECT count(*) FROM deployments WHERE model = $2 AND status <> 'deleted') AS deployments,
    (
        SELECT array_agg(organizations.slug || '/' || offerings.code ORDER BY organizations.slug, offerings.code)
        FROM offerings JOIN organizations ON organizations.id = offerings.organization_id
        WHERE offerings.model_id = $1
    ) AS offerings
