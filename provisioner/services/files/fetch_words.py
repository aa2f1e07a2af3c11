"""The provisioning log in words: one sentence for each request of a phone."""

from collections.abc import Callable, Mapping
from typing import Final

from provisioner.access.reasons import Reason, sentence
from provisioner.model import Fetch

HINTS: Final[Mapping[str, str]] = {
    "hint-registered": "the phone says that it registered",
    "hint-unregistered": "the phone says that it signed off",
    "hint-failed": "the phone says that its registration was refused",
    "hint-register_failed": "the phone says that its registration was refused",
    "hint-boot": "the phone says that it started",
    "hint-setup_completed": "the phone says that it started",
    "screen": "showed a page on its screen",
}
SERVED: Final = "got its configuration"
UNCHANGED: Final = "already had the newest configuration"


def fetch_sentence(fetch: Fetch, *, translate: Callable[[str], str] = lambda text: text) -> str:
    """What happened, for an installer, and how often at once; an unknown code is given as it is."""
    return _sentence(fetch, translate) + often(fetch.detail or {})


def often(detail: Mapping[str, object]) -> str:
    """“ (×7)” for requests so much alike and close together that they share one entry; else nothing."""
    times = detail.get("times")
    return f" (×{times})" if isinstance(times, int) else ""


def _sentence(fetch: Fetch, translate: Callable[[str], str]) -> str:
    if fetch.reason in HINTS:
        return translate(HINTS[fetch.reason])
    if fetch.reason not in set(Reason):
        return fetch.reason
    reason = Reason(fetch.reason)
    if reason is Reason.ALLOWED and fetch.status in {200, 304}:
        return translate(SERVED if fetch.status == 200 else UNCHANGED)
    return sentence(reason, {"source": fetch.source, **(fetch.detail or {})}, translate=translate)
