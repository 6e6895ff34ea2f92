-- $1: the statuses that count.
SELECT status, count(*) AS instances FROM instances WHERE status = ANY ($1::text[]) GROUP BY status;
