"""Secrets that can be recognised anywhere, planted in a whole server, and a record of everything that comes out of it."""

import base64
import hashlib
import json
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from provisioner.model import Device
from provisioner.services.context import SYSTEM, Context
from provisioner.services.device_secrets import line_purpose
from provisioner.services.devices.device_settings import put_settings
from provisioner.services.devices.enrolment import enrol, replace_device_password, reveal, update_device
from provisioner.services.people.api_tokens import NewApiToken, create_token
from provisioner.services.people.logins import Doorkeeper, make_reset
from provisioner.services.people.tenants import create_site
from provisioner.services.people.users import create_user
from tests.support.server import RunningServer

MAC, TOKEN_MAC = "000413CAFE01", "805EC0CAFE02"
FIRST_PASSWORD = "Kanarie-7.geel-oud"
PASSWORD = "Kanarie-8.geel-nieuw"
PERSON, PERSON_PASSWORD = "kees@acme.test", "Kanarie-9.rood-mens"
PHONE_ADMIN_PASSWORD = "Kanarie-5.toestel"
GUESS = "verkeerde-kanarie"
"""What somebody types by mistake, often another password of theirs. Too weak for every rule."""


@dataclass(frozen=True)
class Planted:
    """`secrets`: what it is → the text that must not appear."""

    ids: Mapping[str, str]
    username: str
    token: str
    action_token: str
    api_tokens: Mapping[str, str]
    made_token: NewApiToken
    reset_token: str
    account: str
    sip_secret: str
    secrets: Mapping[str, str]


async def plant(running: RunningServer, doorkeeper: Doorkeeper) -> Planted:
    """A tenant with two phones, people, tokens and settings, all of whose secrets are known to the test."""
    context, tenant_id = running.context, running.tenant.id
    site = await create_site(context, SYSTEM, tenant_id=tenant_id, name="Head office")
    user = await create_user(
        context, SYSTEM, tenant_id=tenant_id, name="Kees", extension="201", site_id=site.id
    )
    made = await enrol(
        context, SYSTEM, tenant_id=tenant_id, profile="snom", model="D785", mac=MAC, user_id=user.id, password=FIRST_PASSWORD
    )  # fmt: skip
    device = (
        await replace_device_password(context, SYSTEM, device_id=made.device.id, password=PASSWORD)
    ).device
    by_token = (
        await enrol(context, SYSTEM, tenant_id=tenant_id, profile="yealink", model="T46S", mac=TOKEN_MAC)
    ).device
    await update_device(context, SYSTEM, device_id=by_token.id, policy="token")
    await put_settings(
        context, SYSTEM, tenant_id=tenant_id, scope="device", ref=str(device.id), values={"phone_admin_password": PHONE_ADMIN_PASSWORD}
    )  # fmt: skip
    login = await doorkeeper.create_login(
        SYSTEM, name=PERSON, role="admin", password=PERSON_PASSWORD, tenant_id=tenant_id
    )
    reset_token = await make_reset(context, SYSTEM, login_id=login.id)
    tokens = {
        role: await create_token(
            context, SYSTEM, name=role, role=role, tenant_id=None if role == "operator" else tenant_id
        )
        for role in ("operator", "admin", "pbx")
    }
    ids = {
        "tenant_id": str(tenant_id), "tenant": running.tenant.key, "site_id": str(site.id), "user_id": str(user.id), "device_id": str(device.id),
        "login_id": str(login.id), "token_id": str(tokens["admin"].row.id), "profile": "snom", "model": "D785",
    }  # fmt: skip
    secrets = {
        "the device password": PASSWORD,
        "the replaced device password": FIRST_PASSWORD,
        "the phone's admin password": PHONE_ADMIN_PASSWORD,
        "the admin password that it replaced": reveal(context, device, "admin_password"),
        "the phone's admin PIN": reveal(context, device, "admin_pin"),
        "a person's password": PERSON_PASSWORD,
        "the operator's password": running.operator_password,
        "a reset token": reset_token,
        "a wrong password": GUESS,
        **_of_device(context, device, ""),
        **_of_device(context, by_token, "the other phone's "),
        **{f"the API token of {role}": token.text.rpartition("_")[2] for role, token in tokens.items()},
    }
    sip_secret = secrets["SIP password"]
    secrets["SIP HA1"] = _md5(f"{device.lines[0].account}:{running.tenant.sip_domain}:{sip_secret}")
    secrets["Basic pair"] = base64.b64encode(f"{device.username}:{PASSWORD}".encode()).decode()
    secrets["wrong Basic pair"] = base64.b64encode(f"{device.username}:{GUESS}".encode()).decode()
    return Planted(
        ids=ids,
        username=device.username,
        token=secrets["the other phone's path token"],
        action_token=secrets["action token"],
        made_token=tokens["admin"],
        api_tokens={role: token.text for role, token in tokens.items()},
        reset_token=reset_token,
        account=device.lines[0].account,
        sip_secret=sip_secret,
        secrets=secrets,
    )


def _of_device(context: Context, device: Device, whose: str) -> dict[str, str]:
    line = device.lines[0]
    return {
        f"{whose}path token": reveal(context, device, "token"),
        f"{whose}action token": reveal(context, device, "action_token"),
        f"{whose}SIP password": context.keyring.open(line.secret, purpose=line_purpose(line.account)),
    }


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


@dataclass
class Record:
    """Everything that came out: where from, and the text."""

    entries: list[tuple[str, str]] = field(default_factory=list)

    def add(self, where: str, text: str | bytes) -> None:
        self.entries.append((where, text if isinstance(text, str) else text.decode("utf-8", "replace")))

    def leaks(
        self, secrets: Mapping[str, str], *, allowed: Mapping[str, frozenset[str]] | None = None
    ) -> set[str]:
        """Every "secret in place"; `allowed` names, for the beginning of a place, the secrets that belong there."""
        found = set()
        for where, text in self.entries:
            fine = frozenset().union(
                *(names for start, names in (allowed or {}).items() if where.startswith(start))
            )
            found |= {
                f"{name} in {where}"
                for name, secret in secrets.items()
                if secret in text and name not in fine
            }
        return found


class _Lines(logging.Handler):
    def __init__(self, record: Record) -> None:
        super().__init__(logging.DEBUG)
        self._record = record
        self.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self._record.add("the log", self.format(record))


@contextmanager
def everything_logged(record: Record) -> Iterator[None]:
    """Every line of every library at the level debug, with traces, as it is before anything masks it."""
    root, handler, before = logging.getLogger(), _Lines(record), structlog.get_config()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    structlog.configure(
        processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        structlog.configure(**before)
        root.setLevel(level)
        root.removeHandler(handler)


def stored_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below the data folder, byte for byte."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield f"the file {path.relative_to(folder)}", path.read_bytes()


def digest_credentials(challenge: str, *, username: str, password: str, method: str, target: str) -> str:
    """The Authorization header that answers a Digest MD5 challenge (RFC 7616, qop auth)."""
    parts = dict(re.findall(r'(\w+)="?([^",]+)"?', challenge))
    ha1, ha2 = _md5(f"{username}:{parts['realm']}:{password}"), _md5(f"{method}:{target}")
    response = _md5(f"{ha1}:{parts['nonce']}:00000001:0a4f113b:auth:{ha2}")
    return (
        f'Digest username="{username}", realm="{parts["realm"]}", nonce="{parts["nonce"]}", uri="{target}", algorithm=MD5, '
        f'qop=auth, nc=00000001, cnonce="0a4f113b", response="{response}"'
    )


def filled(path: str, ids: Mapping[str, Any]) -> str:
    """A route's path with the ids in place of `{device_id}`, `{device:\\d{1,15}}` and the like."""
    return re.sub(
        r"\{(\w+)(?::(?:[^{}]|\{[^}]*\})*)?\}",
        lambda found: str(ids.get(found[1]) or ids.get(f"{found[1]}_id", "1")),
        path,
    )


def clumsy_form() -> dict[str, str]:
    """A form or body in which every field that takes a secret holds a wrong one."""
    fields = dict.fromkeys(
        (
            "password",
            "old",
            "new",
            "repeat",
            "new_password",
            "old_password",
            "phone_admin_password",
            "phone_admin_pin",
        ),
        GUESS,
    )
    return {**fields, "mac": "not an address", "type": "snom/D785", "name": "", "role": "?"}


def as_json(value: object) -> str:
    return json.dumps(value, default=str)
