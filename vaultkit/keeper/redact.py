"""Log lines without secrets: every string that leaves the keeper passes through `Redactor`.

What is known to be secret (passphrase, key) is removed by value; what looks like one (credentials and tokens in URLs,
private keys named as such) by shape.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from typing import Any, Final, TextIO
from urllib.parse import urlsplit

import structlog

HIDDEN: Final = "[redacted]"

_URL = re.compile(r"\b(?:https?|wss?)://[^\s'\"<>)\]}]+", re.IGNORECASE)
_NAMED_KEY = re.compile(
    r"((?:private|secret)[_\- ]?key|passphrase|password|mnemonic|authorization|api[_\-]?key)"
    r"(['\"]?\s*[:=]\s*['\"]?)([^\s'\",}]+)",
    re.IGNORECASE,
)
_SHORTEST_SECRET: Final = 4


class Redactor:
    """Removes secrets from text and from nested log values.

    Parameters
    ----------
    secrets
        Values that must never be shown. Those shorter than four characters would hide ordinary text and are refused.
    """

    def __init__(self, *secrets: str) -> None:
        self._secrets: list[str] = []
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Hide one more value, with and without ``0x`` and in either case where it is hexadecimal."""
        bare = secret.removeprefix("0x")
        forms = {secret, bare} | ({bare.upper(), bare.lower()} if re.fullmatch("[0-9a-fA-F]+", bare) else set())
        self._secrets += [form for form in forms if len(form) >= _SHORTEST_SECRET]
        self._secrets.sort(key=len, reverse=True)

    def text(self, value: str) -> str:
        """Return ``value`` without secrets; of a URL only scheme, host and port remain."""
        for secret in self._secrets:
            value = value.replace(secret, HIDDEN)
        value = _URL.sub(lambda found: _bare(found.group()), value)
        return _NAMED_KEY.sub(lambda found: f"{found.group(1)}{found.group(2)}{HIDDEN}", value)

    def value(self, value: Any) -> Any:
        """Return a log value with every string inside it redacted."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bool | int | float) or value is None:
            return value
        if isinstance(value, Mapping):
            return {self.text(str(name)): self.value(item) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return self.text(str(value))

    def hush(self, error: BaseException) -> None:
        """Take secrets out of the words of an exception and of those that led to it, before it is shown."""
        told: BaseException | None = error
        while told is not None:
            told.args = tuple(self.text(word) if isinstance(word, str) else word for word in told.args)
            told = told.__cause__ or told.__context__

    def __call__(self, _logger: Any, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        """Redact one structlog event."""
        return {name: self.value(item) for name, item in event.items()}


def _bare(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return HIDDEN
    return f"{parts.scheme}://{parts.hostname or HIDDEN}{port}"


def json_logger(stream: TextIO, redactor: Redactor) -> structlog.typing.FilteringBoundLogger:
    """Return a logger that writes one redacted JSON object a line to ``stream``.

    Notes
    -----
    Exceptions are rendered before redaction, so that no traceback carries a key or a URL.
    """
    logger: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
        structlog.WriteLogger(stream),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redactor,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(20),
    )
    return logger
