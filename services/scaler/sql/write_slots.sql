INSERT INTO deployment_load AS kept (
    deployment_id, at, mean, peak, in_flight, held, refused_per_s, arriving_per_s, ready
)
SELECT * FROM unnest(
    $1::uuid[], $2::timestamptz[], $3::float8[], $4::float8[], $5::float8[], $6::float8[], $7::float8[], $8::float8[],
    $9::float8[]
)
ON CONFLICT (deployment_id, at) DO UPDATE
SET mean = excluded.mean, peak = excluded.peak, in_flight = excluded.in_flight, held = excluded.held,
    refused_per_s = excluded.refused_per_s, arriving_per_s = excluded.arriving_per_s, ready = excluded.ready
WHERE kept.mean < excluded.mean
