"""Why a worker ended, read from the last lines of its log. Pure.

The words are those of vLLM 0.13.0 and 0.32.0 and of their libraries: argparse, huggingface_hub, PyTorch and CUDA.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

from shared.error_codes import CODES
from shared.lifecycle.events import MOST_TOKENS
from shared.plain_text import plain_line


class Restart(Enum):
    """What a further start of the same worker may change."""

    NOTHING = auto()
    EARLY = auto()
    """Only what a worker meets in its first minute, such as memory that another program still holds."""
    PERHAPS = auto()
    MAY_PASS = auto()
    """The cause lies outside of machine and model, and often ends by itself."""


@dataclass(frozen=True)
class Cause:
    """`code` is stable, for programs. `means` and `advice` are a sentence each, for people."""

    code: str
    means: str
    advice: str
    restart: Restart
    marks: tuple[str, ...]
    """Regular expressions; a line that one of them is found in shows the cause."""


def _as_in_an_install(code: str) -> tuple[str, str]:
    return CODES[code].means, CODES[code].advice


UNKNOWN: Final = Cause(
    "unknown",
    "The worker ends again and again, for a reason that Coldstart does not know.",
    "Read its last lines, and correct what they name.",
    Restart.PERHAPS,
    (),
)
KILLED: Final = Cause(
    "worker_killed",
    "The worker was killed, most often because the machine has no memory left.",
    "Choose a type with more memory.",
    Restart.PERHAPS,
    (),
)
CAUSES: Final = (
    Cause(
        "disk_full",
        "The machine's disk is full.",
        "Choose a smaller model, or a machine with a larger disk.",
        Restart.NOTHING,
        (r"No space left on device", r"\bENOSPC\b", r"Disk quota exceeded"),
    ),
    Cause(
        "no_kv_cache_room",
        "Beside the model, the GPU's memory has no room for the KV cache.",
        "Lower --max-model-len, raise --gpu-memory-utilization, or choose a type with more GPU memory.",
        Restart.NOTHING,
        (
            r"No available memory for the cache blocks",
            r"larger than the (?:available KV|maximum number of tokens that can be stored in KV)",
        ),
    ),
    Cause(
        "out_of_gpu_memory",
        "The GPU's memory is too small for the model.",
        "Choose a type with more GPU memory, a quantized model, or a smaller --max-model-len.",
        Restart.EARLY,
        (
            r"(?:CUDA|HIP) out of memory",
            r"CUDA error: out of memory",
            r"Free memory on device .{0,200}less than (?:desired GPU memory utilization|the engine's budget)",
        ),
    ),
    Cause(
        "driver_mismatch",
        "The machine's NVIDIA driver cannot run this build of vLLM.",
        "Update the driver, or choose an image that is built for an older CUDA.",
        Restart.NOTHING,
        (
            r"NVIDIA driver on your system is too old",
            r"CUDA driver version is insufficient",
            r"forward compatibility was attempted on non supported HW",
            r"no kernel image is available for execution",
            r"provided PTX was compiled with an unsupported toolchain",
        ),
    ),
    Cause(
        "no_gpu_found",
        "vLLM finds no GPU, or no NVIDIA driver.",
        "Check whether `nvidia-smi` lists the GPUs on the machine, and install its driver or restart it.",
        Restart.EARLY,
        (
            r"Found no NVIDIA driver",
            r"No CUDA GPUs are available",
            r"Failed to infer device type",
            r"libcuda\.so\.1: cannot open shared object file",
        ),
    ),
    Cause(
        "custom_code_needed",
        "The model needs code of its own repository, and vLLM runs none without --trust-remote-code.",
        "Choose another model, or allow the code if you trust its author.",
        Restart.NOTHING,
        (r"contains custom code which must be executed", r"pass the argument `?trust_remote_code=True"),
    ),
    Cause(
        "architecture_not_served",
        "This version of vLLM does not serve the model's architecture.",
        "Choose another model, or an image with a version of vLLM that serves it.",
        Restart.NOTHING,
        (
            r"Model architectures .{0,400}(?:are not supported|failed to be inspected)",
            r"does not recognize this architecture",
            r"has no vLLM implementation",
            r"Cannot find model module",
        ),
    ),
    Cause(
        "quantization_not_served",
        "vLLM does not serve the model's quantization here.",
        "Choose another build of the model, or a GPU that supports its quantization.",
        Restart.NOTHING,
        (
            r"Unknown quantization method",
            r"quantization method .{0,80} is not supported",
            r"Quantization method specified in the model config .{0,120} does not match",
            r"torch\.\S+ is not supported for quantization method",
        ),
    ),
    Cause(
        "model_gated",
        "The model is gated, and the machine has no token that may read it.",
        "Ask for access on the model's page at Hugging Face, and set HF_TOKEN.",
        Restart.NOTHING,
        (r"You are trying to access a gated repo", r"GatedRepoError", r"Cannot access gated repo"),
    ),
    Cause(
        "model_not_found",
        "Hugging Face does not have the model or its revision, or hides it.",
        "Correct the model's name or revision, or set an HF_TOKEN that may read it.",
        Restart.NOTHING,
        (
            r"RepositoryNotFoundError",
            r"RevisionNotFoundError",
            r"is not a local folder and is not a valid model identifier",
            r"is not a valid git identifier",
        ),
    ),
    Cause(
        "too_few_gpus",
        "vLLM is asked for more GPUs than the machine has.",
        "Lower --tensor-parallel-size, or choose a type with more GPUs.",
        Restart.NOTHING,
        (
            r"World size .{0,80} is larger than the number of available GPUs",
            r"larger than the (?:number of )?available (?:GPUs|devices)",
            r"CUDA error: invalid device ordinal",
        ),
    ),
    Cause(
        "context_too_long",
        "The context is longer than the model allows.",
        "Lower --max-model-len.",
        Restart.NOTHING,
        (r"User-specified max_model_len .{0,80} is greater than the derived max_model_len",),
    ),
    Cause(
        "weights_unreadable",
        "The model's weights are missing, damaged, or of another shape than its configuration says.",
        "Choose another revision or another model.",
        Restart.NOTHING,
        (
            r"Cannot find any model weights",
            r"SafetensorError",
            r"ollowing weights were not initialized from checkpoint",
            r"Attempted to load weight .{0,80} into parameter",
        ),
    ),
    Cause(
        "tokenizer_unreadable",
        "vLLM cannot read the model's tokenizer.",
        "Choose an image with a later version of vLLM, or another model.",
        Restart.NOTHING,
        (r"Failed to load the tokenizer",),
    ),
    Cause(
        "port_taken",
        "Another program has the worker's port.",
        "End that program, or reinstall the instance.",
        Restart.EARLY,
        (r"Address already in use", r"address already in use"),
    ),
    Cause(
        "bad_option",
        "vLLM refuses an option.",
        "Correct the instance's vllm_args.",
        Restart.NOTHING,
        (
            r": error: (?:unrecognized arguments|argument |invalid choice|the following arguments|ambiguous option)",
            r"\d+ validation errors? for \w*(?:Config|Args)\b",
            r"^\s*Value error, ",
        ),
    ),
    Cause(
        "proxy_refused",
        *_as_in_an_install("proxy_refused"),
        Restart.NOTHING,
        (
            r"Tunnel connection failed: 4\d\d",
            r"\bProxyError: 4\d\d",
            r"tunnel error: (?:unsuccessful|proxy authorization required)",
        ),
    ),
    Cause(
        "proxy_unreachable",
        *_as_in_an_install("proxy_unreachable"),
        Restart.MAY_PASS,
        (
            r"Tunnel connection failed: 5\d\d",
            r"\bProxyError: 5\d\d",
            r"ProxyError(?:: )?\('Unable to connect to proxy'",
        ),
    ),
    Cause(
        "certificate_untrusted",
        *_as_in_an_install("certificate_untrusted"),
        Restart.NOTHING,
        (r"CERTIFICATE_VERIFY_FAILED",),
    ),
    Cause(
        "hub_unreachable",
        "The machine cannot reach Hugging Face.",
        "Check the machine's network, any proxy, and whether Hugging Face is up.",
        Restart.MAY_PASS,
        (
            r"We couldn't connect to '?https?://",
            r"LocalEntryNotFoundError",
            r"(?:Temporary failure in name resolution|Name or service not known)",
            r"HfHubHTTPError: (?:429|5\d\d)",
            r"\b(?:429 Client Error|5\d\d Server Error)\b",
        ),
    ),
)
"""From the most to the least specific; the first one that a line shows is the cause."""

_PATTERNS: Final = {cause.code: re.compile("|".join(cause.marks)) for cause in CAUSES}
_FITS: Final = re.compile(
    r"estimated maximum model length is ([\d,]{1,12})|greater than the derived max_model_len \(\w{1,60}=(\d{1,10})\b"
)
"""Where vLLM says which context would do: beside the weights (kv_cache_utils.py), or by the model (model.py)."""
_SIGKILL: Final = 137
"""The exit status after SIGKILL, which the kernel sends when memory runs out."""
_PROCESS: Final = re.compile(r"^\([A-Za-z][\w .-]{0,40} pid=\d{1,9}\) ")
_LOGGED: Final = re.compile(
    r"^(?:DEBUG|INFO|WARNING|ERROR|CRITICAL) \d\d-\d\d \d\d:\d\d:\d\d \[[\w./-]{1,80}:\d{1,6}\] ?"
)
_NUMBERS: Final = re.compile(r"0x[0-9a-f]+|\d+")
_ERROR: Final = re.compile(r"^[\w.]{0,100}(?:Error|Exception|Failure|Interrupt)\b|\berror: ")
_CONSEQUENCE: Final = re.compile(r"Engine core initialization failed|EngineDeadError|WorkerProc initialization failed")
_MATCHED: Final = 2000
"""The characters of a line in which a cause is looked for."""
_LINES: Final = 20


@dataclass(frozen=True)
class Finding:
    """The cause, and the line that shows it: `said` is empty if no line says anything."""

    cause: Cause
    said: str
    excerpt: tuple[str, ...]
    """What was printed before that line, with it, and the last lines; at most 20."""
    longest_context: int | None = None
    """The longest context that would do, in tokens, if that line says it."""

    def printable(self, made: Callable[[str], str]) -> "Finding":
        """The same with each line as `made` makes it fit to be shown."""
        return replace(self, said=made(self.said), excerpt=tuple(map(made, self.excerpt)))

    def same_as(self, other: "Finding") -> bool:
        """Numbers aside, since addresses, times and sizes differ from one end to the next."""
        same_words = _NUMBERS.sub("0", self.said) == _NUMBERS.sub("0", other.said)
        return self.cause is other.cause and (same_words or self.cause is not UNKNOWN)


def cause_of(printed: Sequence[str], exit_code: int | None = None) -> Finding:
    """Why it ended. `printed`: its log's lines up to its end. `exit_code`: its exit status, if it is known."""
    lines = tuple(line for line in map(bare, printed) if line.strip())
    for cause in CAUSES:
        pattern = _PATTERNS[cause.code]
        for place in range(len(lines) - 1, -1, -1):
            if pattern.search(lines[place], 0, _MATCHED):
                return Finding(cause, lines[place], _excerpt(lines, place), _longest_context(lines[place]))
    place = next((at for at in range(len(lines) - 1, -1, -1) if _tells(lines[at])), len(lines) - 1)
    cause = KILLED if exit_code == _SIGKILL else UNKNOWN
    return Finding(cause, lines[place] if lines else "", _excerpt(lines, place))


def bare(line: str) -> str:
    """The line as its program wrote it: without colours, process name, level and time."""
    return _LOGGED.sub("", _PROCESS.sub("", plain_line(line).rstrip()))


def _longest_context(line: str) -> int | None:
    said = _FITS.search(line, 0, _MATCHED)
    tokens = int((said[1] or said[2]).replace(",", "") or 0) if said else 0
    return tokens if 0 < tokens <= MOST_TOKENS else None


def _tells(line: str) -> bool:
    return bool(_ERROR.search(line)) and not _CONSEQUENCE.search(line)


def _excerpt(lines: Sequence[str], place: int) -> tuple[str, ...]:
    """The lines up to that place and the last ones, half of the room each at most."""
    last = max(place + 1, len(lines) - _LINES // 2)
    end = lines[last:]
    return (*lines[max(0, place + 1 - (_LINES - len(end))) : place + 1], *end)
