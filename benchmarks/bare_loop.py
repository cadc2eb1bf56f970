"""The fastest loop that the low-level binding allows, as a peer for `decode`; a process of its own.

One sequence, one thread of Python, no scheduler, no server: decode, sample, look the token's bytes up. Reads
a number of tokens from each line of stdin and answers with the rate; the first line it writes tells what it
is.

    python -m benchmarks.bare_loop MODEL N_CTX N_THREADS
"""

from __future__ import annotations

import ctypes
import json
import sys
import time

import llama_cpp.llama_cpp as native

from benchmarks.prompts import PROMPT


class BareLoop:
    """A model, a context and the sampler chain of the default parameters."""

    def __init__(self, path: str, n_ctx: int, n_threads: int) -> None:
        self._log = native.llama_log_callback(lambda _level, _text, _data: None)
        native.llama_log_set(self._log, ctypes.c_void_p(0))
        native.llama_backend_init()
        self._model = native.llama_model_load_from_file(path.encode(), native.llama_model_default_params())
        params = native.llama_context_default_params()
        params.n_ctx = n_ctx
        params.n_threads = params.n_threads_batch = n_threads
        params.no_perf = True
        self._context = native.llama_init_from_model(self._model, params)
        self._vocab = native.llama_model_get_vocab(self._model)
        n_vocab = native.llama_vocab_n_tokens(self._vocab)
        self.ends = [t for t in range(n_vocab) if native.llama_vocab_is_eog(self._vocab, t)]
        self._n_vocab = n_vocab

    def measure(self, n_tokens: int) -> float:
        """Tokens a second over `n_tokens` after a short prompt."""
        native.llama_memory_clear(native.llama_get_memory(self._context), True)
        chain = self._chain()
        prompt = PROMPT.encode()
        buffer = (native.llama_token * 512)()
        n_prompt = native.llama_tokenize(self._vocab, prompt, len(prompt), buffer, 512, False, True)
        native.llama_decode(self._context, native.llama_batch_get_one(buffer, n_prompt))
        piece = ctypes.create_string_buffer(64)
        one = (native.llama_token * 1)(native.llama_sampler_sample(chain, self._context, -1))
        began_s = time.perf_counter()
        for _ in range(n_tokens - 1):
            native.llama_decode(self._context, native.llama_batch_get_one(one, 1))
            one[0] = native.llama_sampler_sample(chain, self._context, -1)
            native.llama_token_to_piece(self._vocab, one[0], piece, 64, 0, False)
        rate = (n_tokens - 1) / (time.perf_counter() - began_s)
        native.llama_sampler_free(chain)
        return rate

    def _chain(self) -> object:
        """What the API does for a temperature of 0.8: no end, top_k, top_p, min_p, temperature, draw."""
        chain = native.llama_sampler_chain_init(native.llama_sampler_chain_default_params())
        bias = (native.llama_logit_bias * len(self.ends))(
            *(native.llama_logit_bias(t, -100.0) for t in self.ends)
        )
        for sampler in (
            native.llama_sampler_init_logit_bias(self._n_vocab, len(self.ends), bias),
            native.llama_sampler_init_top_k(40),
            native.llama_sampler_init_top_p(0.95, 1),
            native.llama_sampler_init_min_p(0.05, 1),
            native.llama_sampler_init_temp(0.8),
            native.llama_sampler_init_dist(1),
        ):
            native.llama_sampler_chain_add(chain, sampler)
        return chain


def main() -> None:
    """Serve measurements until stdin ends."""
    path, n_ctx, n_threads = sys.argv[1:4]
    loop = BareLoop(path, int(n_ctx), int(n_threads))
    print(json.dumps({"ends": loop.ends}), flush=True)
    for line in sys.stdin:
        print(json.dumps({"tokens_per_s": loop.measure(int(line))}), flush=True)


if __name__ == "__main__":
    main()
