-- Changes only the fields in $2. Null removes a filter.
UPDATE webhooks
SET (url, description, events, models, organizations) = (
    SELECT changed.url, changed.description, changed.events, changed.models, changed.organizations
    FROM jsonb_populate_record(webhooks, $2::jsonb) AS changed
)
WHERE id = $1
