-- Why: a stream that was restored from an older copy, and has grown since, has other events at the same sequences. What
-- was projected of the lost ones is noticed by the moment at which the stream stored an event.

ALTER TABLE checkpoints
    ADD COLUMN mark_sequence bigint CHECK (mark_sequence > 0),
    ADD COLUMN mark_stored_ns bigint;

COMMENT ON COLUMN checkpoints.mark_sequence IS 'An event that was projected, not behind the checkpoint';
COMMENT ON COLUMN checkpoints.mark_stored_ns IS 'When the stream stored that event, in nanoseconds since 1970';
