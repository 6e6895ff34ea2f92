"""One line per log event: JSON for machines, columns for people."""

import logging
import sys
from typing import Final, Literal

import structlog

from shared.plain_text import plain, plain_line

BUS: Final = "faststream"
"""The logger to give a broker. Otherwise it makes its own, with its own level, which prints to stdout."""
_OF_SEVERAL_LINES: Final = frozenset({"exception", "stack"})


def configure_logs(service: str, level: str, log_format: Literal["json", "console"]) -> None:
    """Configures the whole process, including libraries that use `logging`."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # or a logger would keep a configuration that is no longer that of the process
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _plain,
                renderer,
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    structlog.contextvars.bind_contextvars(service=service)
    for noisy in ("asyncssh", "aiohttp.access", "uvicorn.access", "httpx", "httpx2", "nats", BUS):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _plain(_: object, __: str, entry: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """A machine's text stays within its value: it cannot move the cursor or fake a log line."""
    for name, value in entry.items():
        if isinstance(value, str):
            entry[name] = plain(value).replace("\n", "\n  ") if name in _OF_SEVERAL_LINES else plain_line(value)
    return entry
