"""A plugin of vLLM: on a CPU it compiles with its own backend, as on a GPU, and so finds what it compiled before.

On a CPU vLLM 0.32 leaves that to torch, and cannot load what torch has saved. Without compilation nothing changes.
"""

from vllm.compilation.passes.utility.fix_functionalization import (  # type: ignore[import-not-found]
    FixFunctionalizationPass,
)
from vllm.config import CompilationMode, VllmConfig  # type: ignore[import-not-found]
from vllm.platforms.cpu import CpuPlatform  # type: ignore[import-not-found]


def register() -> None:
    by_torch = CpuPlatform.check_and_update_config.__func__

    def by_itself(cls: type[CpuPlatform], vllm_config: VllmConfig) -> None:
        compilation = vllm_config.compilation_config
        mode = compilation.mode
        by_torch(cls, vllm_config)
        if mode is CompilationMode.VLLM_COMPILE:
            compilation.mode, compilation.backend, compilation.compile_sizes = mode, "inductor", []

    CpuPlatform.check_and_update_config = classmethod(by_itself)
    # it names kernels that only a GPU has
    FixFunctionalizationPass.__call__ = lambda *_: None
