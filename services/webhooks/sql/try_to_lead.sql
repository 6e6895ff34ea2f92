SELECT pg_try_advisory_lock(hashtextextended('coldstart webhooks', 0));
