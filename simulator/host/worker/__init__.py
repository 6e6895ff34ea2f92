"""A worker that behaves as vLLM's OpenAI server does, in its own process. Imports nothing heavy: it must start fast."""
