-- $1: its id; $2: its name; $3: the statuses of instances that are gone. What would be left without a model: instances that are not gone, and offerings of it.
SELECT
    (SELECT count(*) FROM instances WHERE model = $2 AND status <> ALL ($3::text[])) AS instances,
    (
        SELECT array_agg(organizations.slug || '/' || offerings.code ORDER BY organizations.slug, offerings.code)
        FROM offerings JOIN organizations ON organizations.id = offerings.organization_id
        WHERE offerings.model_id = $1
    ) AS offerings
