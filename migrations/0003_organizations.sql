-- Why: several teams share one installation. An organisation owns instances, keys, and names of its own for models
-- (offerings); its limits, and those of its keys, are kept here and answered from memory like keys and models are.

CREATE TABLE organizations (
    id uuid PRIMARY KEY,
    slug text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    name text NOT NULL,
    max_instances integer CHECK (max_instances >= 0),
    spend_per_hour numeric CHECK (spend_per_hour >= 0),
    spend_per_month numeric CHECK (spend_per_month >= 0),
    at_limit text NOT NULL DEFAULT 'warn' CHECK (at_limit IN ('warn', 'drain')),
    created_at timestamptz NOT NULL DEFAULT now()
);

COMMENT ON COLUMN organizations.slug IS 'Stands before the slash of its offerings, so it never changes';
COMMENT ON COLUMN organizations.spend_per_hour IS 'In the currency of the prices; null: no limit';
COMMENT ON COLUMN organizations.at_limit IS 'What becomes of its instances when a spending limit is reached';

CREATE TABLE offerings (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    code text NOT NULL CHECK (code ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$'),
    model_id uuid NOT NULL REFERENCES models,
    active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (organization_id, code)
);

COMMENT ON TABLE offerings IS 'What an organisation calls a model: its slug, a slash, the code';

ALTER TABLE api_keys
    ADD COLUMN organization_id uuid REFERENCES organizations ON DELETE CASCADE,
    ADD COLUMN requests_per_minute integer CHECK (requests_per_minute > 0),
    ADD COLUMN tokens_per_minute integer CHECK (tokens_per_minute > 0),
    ADD COLUMN max_concurrent integer CHECK (max_concurrent > 0),
    ADD COLUMN allowed_models text[],
    ADD CONSTRAINT administrators_belong_to_none CHECK (role = 'user' OR organization_id IS NULL);

COMMENT ON COLUMN api_keys.allowed_models IS 'As they are asked for under /v1; null: all';

CREATE INDEX ON api_keys (organization_id);

CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON organizations
    FOR EACH STATEMENT EXECUTE FUNCTION announce_change();
CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON offerings
    FOR EACH STATEMENT EXECUTE FUNCTION announce_change();
