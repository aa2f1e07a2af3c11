"""Stored secrets: a ring of AES-256-GCM keys in a file of its own, outside the database.

A sealed secret is text, `<key id>.<base64url of nonce and ciphertext>`. The purpose that it was sealed for
(for example "device.sip_password:17") is authenticated with it, so a token moved to another row does not open.
The root entry never changes: sub-keys for signing come from it and survive a rotation of the sealing keys.
"""

import base64
import errno
import fcntl
import itertools
import json
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from provisioner.errors import BadInput, BadSeal, InUse, KeyMissing, KeyRingUnusable, StorageFull

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16
FORMAT_VERSION = 1
FEWEST_DISTINCT_BYTES = 10  # 32 random bytes have fewer than 10 different values once in 10^30


class KeyRing:
    """The keys of one installation. Shows only key ids; the keys leave it through `derive` alone."""

    __slots__ = ("_ciphers", "_keys", "_path", "_root", "_sealer", "_seen")

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()
        self._seen = _signature(self._path)
        self._use(*_parse(self._path, _read_private(self._path)))

    def __repr__(self) -> str:
        return f"KeyRing(current={self.current!r}, keys={len(self._keys)})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key ring is never copied out of its process; load the file there")

    @classmethod
    def create(cls, path: Path) -> "KeyRing":
        """Write a new ring with one key to `path` (mode 0600). KeyRingUnusable when a file is already there."""
        path = path.resolve()
        key_id = _new_key_id(())
        keys, root = {key_id: secrets.token_bytes(KEY_BYTES)}, secrets.token_bytes(KEY_BYTES)
        try:
            write_private(path, _dump(key_id, keys, root), replace=False)
        except FileExistsError:
            raise KeyRingUnusable(
                f"{path} exists already; a key ring is never overwritten", path=str(path)
            ) from None
        return cls(path)

    @classmethod
    def load(cls, path: Path) -> "KeyRing":
        """Read the ring. KeyRingUnusable when absent, open to others than its owner, broken or an example."""
        return cls(path)

    @property
    def current(self) -> str:
        """Id of the key that seals now."""
        return self._sealer[0]

    @property
    def key_ids(self) -> tuple[str, ...]:
        """Ids of all keys, oldest first."""
        return tuple(self._keys)

    def seal(self, plain: str, *, purpose: str) -> str:
        """Encrypt `plain` under the current key; only `open` with the same purpose gives it back."""
        self.reload()  # after a rotation by another process the old key will be dropped, and what it sealed lost
        key_id, cipher = self._sealer
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = cipher.encrypt(nonce, plain.encode(), _context(key_id, purpose))
        return f"{key_id}.{base64.urlsafe_b64encode(nonce + sealed).rstrip(b'=').decode()}"

    def open(self, token: str, *, purpose: str) -> str:
        """Decrypt. KeyMissing names the key that is absent; BadSeal when altered or sealed for something else."""
        key_id, _, body = token.partition(".")
        cipher = self._cipher(_checked_key_id(key_id))
        try:
            raw = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
            if len(raw) < NONCE_BYTES + TAG_BYTES:
                raise BadSeal("a stored secret is cut short", key_id=key_id)
            plain = cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], _context(key_id, purpose))
        except (InvalidTag, ValueError):
            raise BadSeal(
                "a stored secret was altered, or was sealed for another place", key_id=key_id
            ) from None
        return plain.decode()

    def rotate(self) -> str:
        """Add a new current key, on disk before in use; old keys still open. Answers the new key's id."""
        with _only_writer(self._path):
            self.reload()
            key_id = _new_key_id(self._keys)
            self._save(key_id, {**self._keys, key_id: secrets.token_bytes(KEY_BYTES)})
        return key_id

    def retire(self, key_id: str) -> None:
        """Forget an old key. What is still sealed under it is lost: the caller has sealed everything anew.

        BadInput for an unknown id, InUse for the current key.
        """
        with _only_writer(self._path):
            self.reload()
            if key_id not in self._keys:
                raise BadInput(f"the key ring has no key {key_id}", key_ids=list(self._keys))
            if key_id == self.current:
                raise InUse(f"{key_id} is the current key; rotate first", key_id=key_id)
            self._save(self.current, {name: key for name, key in self._keys.items() if name != key_id})

    def reload(self) -> bool:
        """Take over what another process wrote to the file; False when it has not changed."""
        seen = _signature(self._path)
        if seen == self._seen:
            return False
        self._use(*_parse(self._path, _read_private(self._path)))
        self._seen = seen
        return True

    def require(self, key_ids: Iterable[str]) -> None:
        """KeyMissing, naming the first, unless the ring has all these keys. For the start of the server."""
        for key_id in sorted(set(key_ids)):
            self._cipher(key_id)

    def derive(self, label: str) -> bytes:
        """A 32 byte sub-key for one use, such as "nonce" or "pin"; the same after every rotation."""
        return HKDF(
            algorithm=SHA256(), length=KEY_BYTES, salt=None, info=b"provisioner/" + label.encode()
        ).derive(self._root)

    @staticmethod
    def key_ids_of(*tokens: str) -> frozenset[str]:
        """Ids of the keys that these tokens are sealed under. BadSeal when one is not a token."""
        return frozenset(_checked_key_id(token.partition(".")[0]) for token in tokens)

    def _cipher(self, key_id: str) -> AESGCM:
        if key_id not in self._ciphers:
            self.reload()  # another process may have rotated a moment ago
        try:
            return self._ciphers[key_id]
        except KeyError:
            raise KeyMissing(
                f"stored secrets need the key {key_id}, which {self._path.name} does not have; put back the key ring"
                " that belongs to this database",
                key_id=key_id,
            ) from None

    def _use(self, current: str, keys: dict[str, bytes], root: bytes) -> None:
        self._keys = keys
        self._root = root
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._sealer = (current, self._ciphers[current])

    def _save(self, current: str, keys: dict[str, bytes]) -> None:
        write_private(self._path, _dump(current, keys, self._root), replace=True)
        self._use(current, keys, self._root)
        self._seen = _signature(self._path)


def write_private(path: Path, content: bytes, *, replace: bool) -> None:
    """Write a file only its owner can read, whole or not at all, even when the power fails.

    FileExistsError when it exists and `replace` is false; StorageFull when the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        with _exclusive(temporary) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            temporary.replace(path)
        else:
            path.hardlink_to(temporary)
        _sync_folder(path.parent)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(f"no room to write {path.name}; nothing was changed") from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _exclusive(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _only_writer(path: Path) -> Iterator[None]:
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _signature(path: Path) -> tuple[int, int, int]:
    try:
        facts = path.stat()
    except FileNotFoundError:
        return (0, 0, 0)
    return (facts.st_ino, facts.st_mtime_ns, facts.st_size)


def _read_private(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & 0o077:
                raise KeyRingUnusable(
                    f"{path} is open to others than its owner (mode {mode:04o}); run chmod 600 on it, and rotate"
                    " if somebody may have read it",
                    path=str(path),
                )
            return file.read()
    except OSError as error:
        raise KeyRingUnusable(f"cannot read the key ring {path}: {error.strerror}", path=str(path)) from error


def _parse(path: Path, content: bytes) -> tuple[str, dict[str, bytes], bytes]:
    try:
        document = json.loads(content)
        if document["version"] != FORMAT_VERSION:
            raise KeyRingUnusable(f"{path} is of a version this program does not know", path=str(path))
        keys = {_checked_key_id(name): _key(value) for name, value in document["keys"].items()}
        current, root = document["current"], _key(document["root"])
    except (ValueError, KeyError, TypeError, AttributeError, BadSeal):
        # "from None": the parser's own error quotes the content
        raise KeyRingUnusable(f"{path} is not a key ring, or was damaged", path=str(path)) from None
    if current not in keys:
        raise KeyRingUnusable(f"{path} names a current key that it does not contain", path=str(path))
    for name, key in {**keys, "root": root}.items():
        if _is_example(key):
            raise KeyRingUnusable(
                f"the entry {name} of {path} is an example, not a random key", path=str(path)
            )
    return current, keys, root


def _key(text: str) -> bytes:
    key = base64.b64decode(text, validate=True)
    if len(key) != KEY_BYTES:
        raise ValueError("a key has 32 bytes")
    return key


def _is_example(key: bytes) -> bool:
    """All zero, one short pattern repeated, a counting row, or typed text: nothing a random source gives."""
    steps = {(after - before) % 256 for before, after in itertools.pairwise(key)}
    return (
        len(set(key)) < FEWEST_DISTINCT_BYTES or len(steps) == 1 or all(0x20 <= byte < 0x7F for byte in key)
    )


def _dump(current: str, keys: dict[str, bytes], root: bytes) -> bytes:
    document = {
        "version": FORMAT_VERSION,
        "current": current,
        "keys": {name: base64.b64encode(key).decode() for name, key in keys.items()},
        "root": base64.b64encode(root).decode(),
    }
    return json.dumps(document, indent=2).encode() + b"\n"


def _new_key_id(taken: Iterable[str]) -> str:
    """Random, so that the keys of two installations never carry the same id."""
    while (key_id := f"k{secrets.token_hex(4)}") in taken:
        pass
    return key_id


def _checked_key_id(key_id: str) -> str:
    if not (key_id[:1] == "k" and 2 <= len(key_id) <= 16 and key_id.isascii() and key_id.isalnum()):
        raise BadSeal("this is not a sealed secret")
    return key_id


def _context(key_id: str, purpose: str) -> bytes:
    return f"provisioner/seal/{key_id}/{purpose}".encode()
