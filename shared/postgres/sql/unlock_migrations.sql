SELECT pg_advisory_unlock(hashtextextended('coldstart migrations', 0));
