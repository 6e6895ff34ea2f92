SELECT pg_try_advisory_lock(hashtextextended('coldstart rebuild', 0));
