SELECT pg_advisory_lock(hashtextextended('coldstart projection tables', 0));
