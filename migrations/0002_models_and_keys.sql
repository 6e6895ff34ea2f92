-- Why: the api decides who may ask and which models may be served from memory; these tables are where that is kept.
-- Every change is announced, whoever makes it, so that a revoked key is refused by every api process within a second.

CREATE TABLE models (
    id uuid PRIMARY KEY,
    model text NOT NULL UNIQUE CHECK (model LIKE '%/%'),
    task text NOT NULL CHECK (task IN ('generate', 'embed')),
    gated boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

COMMENT ON TABLE models IS 'The catalogue: what was found on the Hugging Face hub, by its id in the hub''s own spelling';

CREATE TABLE api_keys (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    role text NOT NULL CHECK (role IN ('admin', 'user')),
    prefix text NOT NULL,
    key_hash bytea NOT NULL UNIQUE CHECK (octet_length(key_hash) = 32),
    created_at timestamptz NOT NULL DEFAULT now()
);

COMMENT ON COLUMN api_keys.prefix IS 'The beginning of the key, so that its owner can tell it from others';
COMMENT ON COLUMN api_keys.key_hash IS 'SHA-256; the key itself is nowhere';

CREATE FUNCTION announce_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('access_changed', TG_TABLE_NAME);
    RETURN NULL;
END
$$;

CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON models
    FOR EACH STATEMENT EXECUTE FUNCTION announce_change();
CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON api_keys
    FOR EACH STATEMENT EXECUTE FUNCTION announce_change();
