SELECT pg_advisory_lock(hashtextextended('coldstart migrations', 0));
