"""Text that every database, file format and screen can carry."""

import re

_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def is_plain(text: str) -> bool:
    """Whether the text is one line without control characters and without halves of characters (lone surrogates)."""
    return _UNFIT.search(text) is None


def plain(text: str, *, limit: int) -> str:
    """What strangers said, fit to be stored: unfit characters become “?”, and no more than `limit` are kept."""
    return _UNFIT.sub("?", text[:limit])
