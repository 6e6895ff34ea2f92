INSERT INTO usage (
    id, at, key_id, organization_id, model, instance_id, endpoint, status, prompt_tokens, completion_tokens, estimated,
    first_byte_ms, duration_ms
)
SELECT *
FROM unnest(
    $1::uuid[], $2::timestamptz[], $3::uuid[], $4::uuid[], $5::text[], $6::uuid[], $7::text[], $8::smallint[],
    $9::integer[], $10::integer[], $11::boolean[], $12::double precision[], $13::double precision[]
)
ON CONFLICT (id) DO NOTHING
