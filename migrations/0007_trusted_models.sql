-- Why: some models come with their own code, which workers run only if an administrator allows it for that model.

ALTER TABLE models
    ADD COLUMN trust_remote_code boolean NOT NULL DEFAULT false;

COMMENT ON COLUMN models.trust_remote_code IS 'Whether workers may run code from its repository';
