SELECT id, organization_id, events, models, organizations, after_sequence FROM webhooks WHERE enabled;
