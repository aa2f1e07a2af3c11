"""Log lines on stderr, without secrets: whatever is called a password or a token, and credentials in addresses."""

import logging
import re
from collections.abc import Mapping
from typing import Any

import click
import structlog
from structlog.types import EventDict, Processor

HIDDEN = "•••"
_TALKATIVE = ("alembic", "asyncio")
"""Libraries whose information is of no use to an operator."""
_SECRET_NAMES = re.compile(r"password|passwd|secret|token|authorization|cookie|ha1$", re.IGNORECASE)
_PATTERNS = (
    (re.compile(r"(?P<keep>\b[a-z][a-z0-9+.-]*://)[^\s/@]+@", re.IGNORECASE), rf"\g<keep>{HIDDEN}@"),
    (re.compile(r"(?P<keep>\b(?:Basic|Bearer) )[A-Za-z0-9._~+/=-]{6,}"), rf"\g<keep>{HIDDEN}"),
    (re.compile(r"(?P<keep>\bDigest )[^\r\n]*\bresponse=[^\r\n]*"), rf"\g<keep>{HIDDEN}"),
    (re.compile(r"(?P<keep>\bprov_[a-z0-9]{12}_)[A-Za-z0-9]{20,}"), rf"\g<keep>{HIDDEN}"),
    (re.compile(r"(?P<keep>/(?:p/t|a)/)[A-Za-z0-9]{16,}"), rf"\g<keep>{HIDDEN}"),
)


def log_to_stderr(level: str, *, as_json: bool = False) -> None:
    """Send structlog's and every library's log lines of `level` and above to stderr, redacted."""
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    renderer: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    handler = _Stderr()
    handler.setFormatter(formatter)
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old, _Stderr)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for library in _TALKATIVE:
        logging.getLogger(library).setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def redact(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """A structlog processor: secrets in names and in texts become dots, at any depth."""
    return {name: value if name.startswith("_") else hidden(value, name) for name, value in event.items()}


def hidden(value: Any, name: str = "") -> Any:
    """The value without what may be a secret. Values that are no texts, numbers or collections of them are left alone."""
    if _SECRET_NAMES.search(name) and isinstance(value, str | bytes | list | tuple | Mapping):
        return HIDDEN
    if isinstance(value, str):
        for pattern, instead in _PATTERNS:
            value = pattern.sub(instead, value)
        return value
    if isinstance(value, Mapping):
        return {key: hidden(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [hidden(item) for item in value]
    return value


class _Stderr(logging.Handler):
    """Writes to whatever stderr is at the moment."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            click.echo(self.format(record), err=True)
        except (OSError, ValueError):
            self.handleError(record)
