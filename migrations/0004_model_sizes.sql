-- Why: whether a model fits a GPU is judged before a server is rented, from what the hub tells of its weights.
-- Models that were catalogued before have no figures until they are next looked up; of some the hub tells none.

ALTER TABLE models
    ADD COLUMN parameters bigint CHECK (parameters > 0),
    ADD COLUMN weights_bytes bigint CHECK (weights_bytes > 0);

COMMENT ON COLUMN models.weights_bytes IS 'Of the weights as they are stored on the hub';
