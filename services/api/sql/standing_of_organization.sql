-- Those that may hold something at a provider, which others than their organisation would have to look after.
SELECT snapshot FROM instances WHERE organization_id = $1 AND status NOT IN ('terminated', 'archived')
