-- $1: instances. $2: the statuses in which step and progress do not change.
-- Computed from the whole timeline, so the order in which events arrived does not matter.
WITH reached AS (
    SELECT instance_id, attempt, step, status = ANY ($2::text[]) AS ending, min(version) AS version
    FROM timeline
    WHERE instance_id = ANY ($1::uuid[])
    GROUP BY instance_id, attempt, step, ending
),
begun AS (
    SELECT
        instance_id,
        reached.attempt,
        reached.step,
        reached.ending,
        recorded_at AS began_at,
        lead(recorded_at) OVER (PARTITION BY instance_id ORDER BY version) AS next_began_at
    FROM reached
    JOIN timeline USING (instance_id, version)
)
INSERT INTO step_durations AS held (instance_id, attempt, step, began_at, ended_at)
SELECT
    instance_id,
    attempt,
    step,
    began_at,
    -- The stream's clock may have been set back between two events.
    CASE WHEN next_began_at IS NOT NULL THEN greatest(began_at, next_began_at) END
FROM begun
WHERE NOT ending
ON CONFLICT (instance_id, attempt, step) DO UPDATE
SET began_at = excluded.began_at, ended_at = excluded.ended_at
WHERE (held.began_at, held.ended_at) IS DISTINCT FROM (excluded.began_at, excluded.ended_at);
