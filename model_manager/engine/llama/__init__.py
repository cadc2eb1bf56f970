"""The only door to llama.cpp: a thin typed wrapper over the low-level binding.

`LlamaModel` is the weights and their vocabulary, `LlamaContext` a memory to compute with; one model may have
several contexts. Nothing here decides anything about scheduling; `scheduler` does. The `Llama` class of the
binding is never used: it can neither batch, nor abort, nor place experts.
"""
