"""What the worker says and the load expects."""

MODEL = "Qwen/Qwen2.5-0.5B-Instruct"
ANSWER = "Paris is the capital of France."
