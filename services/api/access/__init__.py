"""Who asks: keys, sessions, and what the api keeps of both in memory."""
