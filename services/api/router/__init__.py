"""Between an OpenAI client and the workers: limits, choice, retries, usage."""
