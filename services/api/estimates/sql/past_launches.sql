-- The newest attempts that became ready, each with the seconds from its beginning to every percentage that it showed.
-- $1: how many. The seconds never decrease, even if the stream's clock was set back.
WITH ready AS (
    SELECT instance_id, attempt, began_at AS ready_at
    FROM step_durations
    WHERE step = 'InstanceReady'
    ORDER BY began_at DESC
    LIMIT $1
)
SELECT
    ready.instance_id, ready.attempt, provider, instance_type, model, ready.ready_at, reached,
    EXISTS (
        SELECT FROM timeline
        WHERE timeline.instance_id = ready.instance_id AND type = 'InstanceCreated' AND data ? 'machine_image'
    ) AS machine_image,
    coalesce((
        SELECT CASE WHEN data -> 'fetched_bytes' = data -> 'total_bytes' THEN 'warm' ELSE 'cold' END
        FROM timeline
        WHERE
            timeline.instance_id = ready.instance_id AND timeline.attempt = ready.attempt
            AND type = 'WeightsProgressed'
        ORDER BY version
        LIMIT 1
    ), 'worker') AS weights
FROM ready
JOIN instances ON instances.id = ready.instance_id
CROSS JOIN LATERAL (
    SELECT jsonb_agg(
        jsonb_build_array(progress_percent, extract(epoch FROM reached_at - began_at)) ORDER BY progress_percent
    ) AS reached
    FROM (
        SELECT
            progress_percent,
            max(min(recorded_at)) OVER (ORDER BY progress_percent) AS reached_at,
            first_value(min(recorded_at)) OVER (ORDER BY progress_percent) AS began_at
        FROM timeline
        WHERE timeline.instance_id = ready.instance_id AND timeline.attempt = ready.attempt
        GROUP BY progress_percent
    ) AS point
) AS path
