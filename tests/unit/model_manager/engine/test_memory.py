from __future__ import annotations

from model_manager.engine.memory import device_memory, device_of, read_log
from model_manager.types import DeviceMemory

MIB = 2**20
NAMES = {
    "CPU": "CPU",
    "RPC0": "RPC0[10.0.0.2:50052]",
    "RPC0[10.0.0.2:50052]": "RPC0[10.0.0.2:50052]",
}
LINES = """\
load_tensors: layer   0 assigned to device CPU, is_swa = 0
load_tensors: layer   1 assigned to device RPC0, is_swa = 1
load_tensors: layer   2 assigned to device RPC0, is_swa = 0
load_tensors:   CPU_Mapped model buffer size =   100.25 MiB
load_tensors:   CPU_REPACK model buffer size =    50.00 MiB
load_tensors: RPC0[10.0.0.2:50052] model buffer size =    30.50 MiB
llama_context:        CPU  output buffer size =     0.75 MiB
llama_kv_cache: layer   0: dev = CPU
llama_kv_cache: layer   1: filtered
llama_kv_cache:        CPU KV buffer size =     8.00 MiB
llama_kv_cache: size =    8.00 MiB (  4096 cells,   1 layers,  4/1 seqs), K (f16):    4.00 MiB, ...
llama_kv_cache: layer   0: filtered
llama_kv_cache: layer   1: dev = RPC0
llama_kv_cache: layer   2: dev = CPU
llama_kv_cache: size =    2.00 MiB (   512 cells,   2 layers,  4/1 seqs), K (f16):    1.00 MiB, ...
llama_memory_recurrent:        CPU RS buffer size =     0.50 MiB
sched_reserve:        CPU compute buffer size =    40.00 MiB
sched_reserve: RPC0[10.0.0.2:50052] compute buffer size =     6.00 MiB
sched_reserve:        CPU compute buffer size =    26.50 MiB
llama_adapter_lora_init_impl:        CPU LoRA buffer size =     1.00 MiB
""".splitlines()


def test_a_load_is_read_from_its_log() -> None:
    report = read_log(LINES)
    assert report.layers == {0: "CPU", 1: "RPC0", 2: "RPC0"}
    assert report.is_repacked
    assert device_memory(report, NAMES) == (
        DeviceMemory(
            "CPU",
            weights_bytes=150 * MIB + MIB // 4,
            mapped_bytes=100 * MIB + MIB // 4,
            kv_bytes=9 * MIB,
            state_bytes=MIB // 2,
            compute_bytes=26 * MIB + MIB // 2,
            output_bytes=MIB * 3 // 4,
            adapter_bytes=MIB,
        ),
        DeviceMemory(
            "RPC0[10.0.0.2:50052]",
            weights_bytes=30 * MIB + MIB // 2,
            kv_bytes=MIB,
            compute_bytes=6 * MIB,
        ),
    )


def test_a_log_without_sizes_is_all_zeros() -> None:
    assert device_memory(read_log(["llama_context: n_ctx = 256"]), NAMES) == (DeviceMemory("CPU"),)


def test_buffers_in_main_memory_are_not_their_devices() -> None:
    assert device_of("CUDA_Host", {"CUDA0": "CUDA0"}) == "CPU"
    assert device_of("CPU_AMX", {}) == "CPU"
    assert device_of("MTL0_Mapped", {}) == "MTL0"
