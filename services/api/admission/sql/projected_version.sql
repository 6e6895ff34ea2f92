-- $1: of an instance, or of a deployment.
SELECT version FROM instances WHERE id = $1
UNION ALL
SELECT version FROM deployments WHERE id = $1
