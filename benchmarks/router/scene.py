"""What the worker says and the load expects."""

MODEL = "Qwen/Qwen2.5-0.5B-Instruct"
ANSWER = "Paris is the capital of France."
ORGANIZATION = "acme"
OFFERING = "acme/chat"
"""Its name for the model: a request that asks for it has to be written anew for the worker."""
