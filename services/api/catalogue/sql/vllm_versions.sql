SELECT wanted.image, latest.vllm_version, latest.seen_at
FROM unnest($1::text[]) AS wanted (image)
CROSS JOIN LATERAL (
    SELECT snapshot ->> 'vllm_version' AS vllm_version, (snapshot ->> 'attempt_started_at')::timestamptz AS seen_at
    FROM instances
    WHERE snapshot ? 'vllm_version' AND regexp_replace(snapshot -> 'install' ->> 'image', '^.*@', '') = wanted.image
    ORDER BY snapshot ->> 'attempt_started_at' DESC, sequence DESC
    LIMIT 1
) AS latest;
