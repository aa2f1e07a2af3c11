import base64
import errno
import json
import os
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.errors import BadInput, BadSeal, InUse, KeyMissing, KeyRingUnusable, StorageFull
from provisioner.secrets import KeyRing, write_private


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keyring.json"


@pytest.fixture
def ring(path: Path) -> KeyRing:
    return KeyRing.create(path)


def stored_keys(path: Path) -> list[bytes]:
    document = json.loads(path.read_bytes())
    return [base64.b64decode(text) for text in (*document["keys"].values(), document["root"])]


def test_what_is_sealed_opens_again(ring: KeyRing) -> None:
    token = ring.seal("geheim €", purpose="device.sip:1")
    assert "geheim" not in token
    assert token.isascii()
    assert token.startswith(f"{ring.current}.")
    assert ring.open(token, purpose="device.sip:1") == "geheim €"


@pytest.fixture(scope="module")
def shared_ring(tmp_path_factory: pytest.TempPathFactory) -> KeyRing:
    return KeyRing.create(tmp_path_factory.mktemp("ring") / "keyring.json")


@given(plain=st.text(), purpose=st.text())
def test_any_text_survives(shared_ring: KeyRing, plain: str, purpose: str) -> None:
    assert shared_ring.open(shared_ring.seal(plain, purpose=purpose), purpose=purpose) == plain


def test_sealing_twice_gives_two_tokens(ring: KeyRing) -> None:
    assert ring.seal("x", purpose="p") != ring.seal("x", purpose="p")


def test_a_token_moved_to_another_place_does_not_open(ring: KeyRing) -> None:
    token = ring.seal("x", purpose="device:1")
    with pytest.raises(BadSeal):
        ring.open(token, purpose="device:2")


def test_every_flipped_bit_is_noticed(ring: KeyRing) -> None:
    key_id, _, body = ring.seal("x", purpose="p").partition(".")
    raw = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    for index in range(len(raw)):
        broken = bytearray(raw)
        broken[index] ^= 1
        with pytest.raises(BadSeal):
            ring.open(f"{key_id}.{base64.urlsafe_b64encode(bytes(broken)).decode()}", purpose="p")


@pytest.mark.parametrize("token", ["", ".", "k", "plain text", "k1.", "../x.y", "kä.AAAA"])
def test_what_is_not_a_token_never_opens(ring: KeyRing, token: str) -> None:
    with pytest.raises((BadSeal, KeyMissing)):
        ring.open(token, purpose="p")


@pytest.mark.parametrize("body", ["", "AAAA", "!!!!", "A" * 37, "\u00e9\u00e9"])
def test_a_broken_body_is_a_bad_seal(ring: KeyRing, body: str) -> None:
    with pytest.raises(BadSeal):
        ring.open(f"{ring.current}.{body}", purpose="p")


def test_another_installations_ring_names_the_missing_key(ring: KeyRing, tmp_path: Path) -> None:
    token = ring.seal("x", purpose="p")
    other = KeyRing.create(tmp_path / "other.json")
    with pytest.raises(KeyMissing) as caught:
        other.open(token, purpose="p")
    assert caught.value.data["key_id"] == ring.current
    assert ring.current in caught.value.detail
    with pytest.raises(KeyMissing, match=ring.current):
        other.require([other.current, ring.current])
    ring.require([ring.current])


def test_rotation_keeps_old_secrets_readable_and_seals_with_the_new_key(ring: KeyRing, path: Path) -> None:
    old, token = ring.current, ring.seal("x", purpose="p")
    new = ring.rotate()
    assert ring.current == new != old
    for now in (ring, KeyRing.load(path)):
        assert now.open(token, purpose="p") == "x"
        assert KeyRing.key_ids_of(token, now.seal("y", purpose="p")) == {old, new}


def test_a_running_process_follows_a_rotation_made_by_another(ring: KeyRing, path: Path) -> None:
    other = KeyRing.load(path)
    new = other.rotate()
    token = other.seal("x", purpose="p")
    assert ring.current != new
    assert ring.open(token, purpose="p") == "x"
    assert ring.current == new
    assert not ring.reload()


def test_two_rotations_from_stale_views_lose_no_key(ring: KeyRing, path: Path) -> None:
    other = KeyRing.load(path)
    first, second = ring.rotate(), other.rotate()
    assert set(KeyRing.load(path).key_ids) >= {first, second}


def test_a_retired_key_is_gone_and_the_current_one_stays(ring: KeyRing, path: Path) -> None:
    old, token = ring.current, ring.seal("x", purpose="p")
    ring.rotate()
    ring.retire(old)
    with pytest.raises(KeyMissing):
        ring.open(token, purpose="p")
    assert KeyRing.load(path).key_ids == (ring.current,)
    with pytest.raises(InUse):
        ring.retire(ring.current)
    with pytest.raises(BadInput, match="no key knope"):
        ring.retire("knope")


def test_derived_keys_differ_by_label_and_survive_rotation(ring: KeyRing, path: Path) -> None:
    nonce, pin = ring.derive("nonce"), ring.derive("pin")
    assert nonce != pin
    assert len(nonce) == 32
    old = ring.current
    ring.rotate()
    ring.retire(old)
    assert KeyRing.load(path).derive("nonce") == nonce


def test_nothing_that_is_printed_holds_a_key(ring: KeyRing, path: Path) -> None:
    shown = repr(ring) + str(ring) + f"{ring}"
    for key in stored_keys(path):
        assert key.hex() not in shown
        assert base64.b64encode(key).decode() not in shown
        assert repr(key) not in shown
    with pytest.raises(TypeError):
        pickle.dumps(ring)


def test_the_file_is_private_and_leaves_no_litter(ring: KeyRing, path: Path) -> None:
    ring.rotate()
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_create_never_overwrites(ring: KeyRing, path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(KeyRingUnusable, match="never overwritten"):
        KeyRing.create(path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o660, 0o644])
def test_a_file_open_to_others_is_refused(ring: KeyRing, path: Path, mode: int) -> None:
    path.chmod(mode)
    with pytest.raises(KeyRingUnusable, match="chmod 600"):
        KeyRing.load(path)


def test_an_absent_file_is_refused(path: Path) -> None:
    with pytest.raises(KeyRingUnusable, match="No such file"):
        KeyRing.load(path)


EXAMPLES = [b"\0" * 32, b"\xff" * 32, bytes(range(32)), b"change-me-change-me-change-me-00", b"abcd" * 8]


@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.parametrize("entry", ["key", "root"])
def test_example_keys_are_refused(ring: KeyRing, path: Path, example: bytes, entry: str) -> None:
    document = json.loads(path.read_bytes())
    text = base64.b64encode(example).decode()
    if entry == "root":
        document["root"] = text
    else:
        document["keys"][ring.current] = text
    path.write_text(json.dumps(document))
    with pytest.raises(KeyRingUnusable, match="example") as caught:
        KeyRing.load(path)
    assert text not in caught.value.detail


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        "not json",
        '{"version":1,"current":"k1","keys":{},"root":"AAAA"}',
        '{"version":2}',
        "\x00",
    ],
)
def test_a_damaged_file_is_refused(ring: KeyRing, path: Path, content: str) -> None:
    path.write_text(content)
    with pytest.raises(KeyRingUnusable):
        KeyRing.load(path)


def test_a_current_key_that_is_not_there_is_refused(ring: KeyRing, path: Path) -> None:
    document = json.loads(path.read_bytes())
    path.write_text(json.dumps({**document, "current": "kother"}))
    with pytest.raises(KeyRingUnusable, match="current key"):
        KeyRing.load(path)


def test_a_full_disk_changes_nothing(ring: KeyRing, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, current = path.read_bytes(), ring.current

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFull):
        ring.rotate()
    assert ring.current == current
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_symbolic_link_stays_a_link(ring: KeyRing, path: Path) -> None:
    link = path.with_name("link.json")
    link.symlink_to(path)
    KeyRing.load(link).rotate()
    assert link.is_symlink()
    assert len(KeyRing.load(path).key_ids) == 2


def test_write_private_replaces_whole_files_only(tmp_path: Path) -> None:
    target = tmp_path / "ca.key"
    write_private(target, b"one", replace=False)
    with pytest.raises(FileExistsError):
        write_private(target, b"two", replace=False)
    assert target.read_bytes() == b"one"
    write_private(target, b"two", replace=True)
    assert target.read_bytes() == b"two"
    assert target.stat().st_mode & 0o777 == 0o600


def test_sealing_uses_the_key_that_another_process_made_current(tmp_path: Path) -> None:
    here = KeyRing.create(tmp_path / "ring.json")
    elsewhere = KeyRing.load(tmp_path / "ring.json")
    newest = elsewhere.rotate()
    assert KeyRing.key_ids_of(here.seal("x", purpose="p")) == {newest}
