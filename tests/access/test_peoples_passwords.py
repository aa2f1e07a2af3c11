import asyncio
import threading
from collections.abc import AsyncIterator

import pytest
from argon2 import PasswordHasher, extract_parameters

from provisioner.access.passwords import PeoplesPasswords, Verification, missing_from
from provisioner.errors import Unavailable, WeakPassword

GOOD = "a horse eats stairs"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class HeldHasher(PasswordHasher):
    """Hashes only when let."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.let = threading.Event()
        self.at_work = 0
        self.most_at_work = 0
        self._lock = threading.Lock()

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        with self._lock:
            self.at_work += 1
            self.most_at_work = max(self.most_at_work, self.at_work)
        assert self.let.wait(20)
        with self._lock:
            self.at_work -= 1
        return super().hash(password, salt=salt)


@pytest.fixture
async def passwords() -> AsyncIterator[PeoplesPasswords]:
    made = PeoplesPasswords(hasher=CHEAP)
    yield made
    made.close()


async def test_the_right_password_is_right_and_a_wrong_one_is_not(passwords: PeoplesPasswords) -> None:
    stored = await passwords.hash_password(GOOD)
    assert stored.startswith("$argon2id$")
    assert await passwords.verify_password(stored, GOOD) == Verification(is_right=True)
    assert await passwords.verify_password(stored, GOOD + "x") == Verification(is_right=False)
    assert not (await passwords.verify_password(stored, "x" * 10_000)).is_right


async def test_the_same_characters_from_another_keyboard_are_right(passwords: PeoplesPasswords) -> None:
    stored = await passwords.hash_password("cafe\u0301 au lait noir")
    assert (await passwords.verify_password(stored, "caf\u00e9 au lait noir")).is_right


async def test_an_unknown_person_costs_a_full_hash_and_is_never_right_t15(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[str] = []
    real = PasswordHasher.verify

    def verify(self: PasswordHasher, stored: str | bytes, password: str | bytes) -> bool:
        seen.append(str(stored))
        return bool(real(self, stored, password))

    monkeypatch.setattr(PasswordHasher, "verify", verify)
    passwords = PeoplesPasswords(hasher=CHEAP)
    assert await passwords.verify_password(None, GOOD) == Verification(is_right=False)
    stored = await passwords.hash_password(GOOD)
    assert extract_parameters(seen[0]) == extract_parameters(stored)
    passwords.close()


async def test_a_broken_stored_hash_is_wrong_and_no_crash(passwords: PeoplesPasswords) -> None:
    assert not (await passwords.verify_password("not a hash", GOOD)).is_right


async def test_a_hash_with_older_costs_asks_to_be_made_anew(passwords: PeoplesPasswords) -> None:
    older = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1).hash(GOOD)
    assert await passwords.verify_password(older, GOOD) == Verification(is_right=True, needs_rehash=True)


async def test_a_flood_of_logins_takes_one_core_and_is_then_shed_t26() -> None:
    hasher = HeldHasher()
    passwords = PeoplesPasswords(hasher=hasher, at_once=1, waiting=3)
    running = [asyncio.create_task(passwords.hash_password(GOOD)) for _ in range(4)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await passwords.hash_password(GOOD)
    running[0].cancel()
    await asyncio.gather(running[0], return_exceptions=True)
    with pytest.raises(Unavailable):
        await passwords.hash_password(GOOD)
    hasher.let.set()
    await asyncio.gather(*running[1:])
    assert hasher.most_at_work == 1
    assert await passwords.hash_password(GOOD)
    passwords.close()


async def test_a_weak_password_is_refused_before_it_is_hashed(passwords: PeoplesPasswords) -> None:
    with pytest.raises(WeakPassword) as caught:
        await passwords.hash_password("short")
    assert caught.value.data["missing"] == ["It needs at least 12 characters."]


@pytest.mark.parametrize(
    ("password", "part"),
    [
        ("elevenchars", "at least 12"),
        ("x" * 257, "at most 256"),
        ("ababababababab", "four different"),
        ("Anna@example.net", "login name"),
    ],
)
def test_length_and_not_being_guessable_count(password: str, part: str) -> None:
    assert any(part in sentence for sentence in missing_from(password, login="anna@example.net"))
    assert missing_from(GOOD, login="anna@example.net") == []
