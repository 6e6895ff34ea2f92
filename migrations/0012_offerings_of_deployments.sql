-- Why: an offering may name a deployment, and is then of whatever model that serves. Deployments are in the event stream,
-- so this is its name, and no reference. What an older version adds has none.

ALTER TABLE offerings ADD COLUMN deployment text;

COMMENT ON COLUMN offerings.deployment IS 'Of the same organisation, or shared by all; model_id is what it served at first';
