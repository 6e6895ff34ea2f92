SELECT pg_try_advisory_lock(hashtextextended('coldstart compaction', 0));
