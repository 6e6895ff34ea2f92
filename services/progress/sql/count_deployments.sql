-- $1: the statuses that count.
SELECT status, count(*) AS deployments, sum(wanted) AS wanted FROM deployments WHERE status = ANY ($1::text[]) GROUP BY status;
