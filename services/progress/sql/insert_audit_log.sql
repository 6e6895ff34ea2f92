-- Not on the search path: a rebuild makes the tables of the read model anew, and adds here what is missing.
INSERT INTO public.audit_log (
    id, at, type, actor_kind, actor_id, actor_name, organization_id, subject_kind, subject_id, subject_name, details
)
SELECT *
FROM unnest(
    $1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::uuid[], $6::text[], $7::uuid[], $8::text[], $9::text[],
    $10::text[], $11::text[]::jsonb[]
)
ON CONFLICT (id) DO NOTHING;
