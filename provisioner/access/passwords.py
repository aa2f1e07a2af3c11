"""People's passwords: Argon2id, in threads of its own and only so many at once.

One hash takes a tenth of a second of a core and 64 MiB; a flood of logins must neither stop the phones nor fill the memory.
Never used for phones: see `verifier`.
"""

import asyncio
import secrets
import unicodedata
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from provisioner.errors import Unavailable, WeakPassword

SHORTEST: Final = 12
LONGEST: Final = 256

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Verification:
    """`needs_rehash`: the password is right and its hash was made with older costs; store a new one."""

    is_right: bool
    needs_rehash: bool = False


class PeoplesPasswords:
    """Hashes and verifies; at most `at_once` at a time, at most `waiting` more in line, then Unavailable (503)."""

    def __init__(self, *, hasher: PasswordHasher | None = None, at_once: int = 1, waiting: int = 20) -> None:
        self._hasher = hasher or PasswordHasher()
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="argon2")
        self._places = BoundedSemaphore(at_once + waiting)
        self._nobody = _hash_of_nothing(self._hasher)

    async def hash_password(self, password: str) -> str:
        """Answer the encoded hash; raise WeakPassword when the password does not follow `missing_from`."""
        missing = missing_from(password)
        if missing:
            raise WeakPassword(" ".join(missing), field="password", missing=missing)
        return await self._in_thread(lambda: self._hasher.hash(_normal(password)))

    async def verify_password(self, stored: str | None, password: str) -> Verification:
        """Compare with a stored hash; None, for a person nobody knows, costs the same and is never right."""
        if len(password) > LONGEST:
            password = ""
        return await self._in_thread(lambda: self._verify(stored, _normal(password)))

    def close(self) -> None:
        """End the threads; waits for a hash under way."""
        self._threads.shutdown(cancel_futures=True)

    def _verify(self, stored: str | None, password: str) -> Verification:
        try:
            self._hasher.verify(stored or self._nobody, password)
        except (VerificationError, InvalidHashError):
            return Verification(is_right=False)
        if stored is None:
            return Verification(is_right=False)
        return Verification(is_right=True, needs_rehash=self._hasher.check_needs_rehash(stored))

    async def _in_thread(self, work: Callable[[], Answer]) -> Answer:
        if not self._places.acquire(blocking=False):
            raise Unavailable("Too many people are logging in at once; try again in a moment.")
        job = self._threads.submit(work)
        # Released when the thread is done, not when the caller is: a client that hangs up frees no core early.
        job.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(job)


def missing_from(password: str, *, login: str = "") -> list[str]:
    """Answer one sentence for each thing that is wrong with a person's password: length, not composition.

    NIST SP 800-63B-4 asks for no classes of characters; length and not being guessable are what count.
    """
    wrong = []
    plain = _normal(password).casefold()
    if len(plain) < SHORTEST:
        wrong.append(f"It needs at least {SHORTEST} characters.")
    if len(password) > LONGEST:
        wrong.append(f"It can have at most {LONGEST} characters.")
    if plain and len(set(plain)) < 4:
        wrong.append("It needs at least four different characters.")
    if login and plain == login.casefold():
        wrong.append("It must not be the login name.")
    return wrong


def _normal(password: str) -> str:
    """The same characters typed on another keyboard are the same password (NFKC, as NIST asks)."""
    return unicodedata.normalize("NFKC", password)


def _hash_of_nothing(hasher: PasswordHasher) -> str:
    """A well-formed hash that costs what a real one costs and that no password fits."""

    def field(size: int) -> str:
        return b64encode(secrets.token_bytes(size)).decode().rstrip("=")

    costs = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v=19${costs}${field(hasher.salt_len)}${field(hasher.hash_len)}"
