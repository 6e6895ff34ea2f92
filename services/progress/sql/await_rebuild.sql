-- A rebuild holds this lock exclusively while it exchanges the tables.
SELECT pg_advisory_xact_lock_shared(hashtextextended('coldstart projection tables', 0));
