"""What the benchmarks of the engine ask."""

QUESTION = "Tell me a long story about a lighthouse."
PROMPT = f"<|im_start|>user\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n"
