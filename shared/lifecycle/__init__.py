"""The lifecycle of an instance: pure. No await, clock, randomness, log or I/O in here."""
