-- A rebuild holds this alone while it swaps the tables.
SELECT pg_advisory_xact_lock_shared(hashtextextended('coldstart projection tables', 0));
