-- $1, $2: instances and versions of the events that were added. $3: the statuses in which step and progress do not
-- change. Computed from the whole timeline, so the order in which events arrived does not matter.
WITH moved AS (
    -- An event that follows one of the same step begins nothing, wherever else it came late.
    SELECT DISTINCT this.instance_id
    FROM unnest($1::uuid[], $2::integer[]) AS added (instance_id, version)
    JOIN timeline AS this USING (instance_id, version)
    LEFT JOIN timeline AS before
        ON before.instance_id = this.instance_id AND before.version = this.version - 1
    WHERE (before.attempt, before.step, before.status = ANY ($3::text[]))
        IS DISTINCT FROM (this.attempt, this.step, this.status = ANY ($3::text[]))
),
reached AS (
    SELECT instance_id, attempt, step, status = ANY ($3::text[]) AS ending, min(version) AS version
    FROM timeline
    WHERE instance_id IN (SELECT instance_id FROM moved)
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
),
lasted AS (
    SELECT
        instance_id,
        attempt,
        step,
        began_at,
        -- The stream's clock may have been set back between two events.
        CASE WHEN next_began_at IS NOT NULL THEN greatest(began_at, next_began_at) END AS ended_at
    FROM begun
    WHERE NOT ending
)
INSERT INTO step_durations AS held (instance_id, attempt, step, began_at, ended_at)
SELECT instance_id, attempt, step, lasted.began_at, lasted.ended_at
FROM lasted
LEFT JOIN step_durations AS known USING (instance_id, attempt, step)
-- A conflict would lock the row and write it, even with nothing to change.
WHERE known.began_at IS NULL OR (known.began_at, known.ended_at) IS DISTINCT FROM (lasted.began_at, lasted.ended_at)
ON CONFLICT (instance_id, attempt, step) DO UPDATE
SET began_at = excluded.began_at, ended_at = excluded.ended_at
RETURNING step, began_at, ended_at;
