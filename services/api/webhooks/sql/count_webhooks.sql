SELECT count(*) FROM webhooks WHERE organization_id IS NOT DISTINCT FROM $1
