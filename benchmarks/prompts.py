"""What the benchmarks of the engine ask."""

QUESTION = "Tell me a long story about a lighthouse."
QUESTION_TOKENS = 39
"""Of the whole prompt with this question, template included: so deep peers shall decode as well."""

PROMPT = f"<|im_start|>user\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n"
