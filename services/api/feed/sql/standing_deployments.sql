-- $1: deployments to return even if nothing of them is left. $2: the status of deleted ones.
SELECT snapshot FROM deployments WHERE status <> $2 OR snapshot -> 'replicas' <> '[]' OR id = ANY ($1::uuid[])
