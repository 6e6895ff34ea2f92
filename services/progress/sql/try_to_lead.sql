SELECT pg_try_advisory_lock(hashtextextended('coldstart projector', 0));
