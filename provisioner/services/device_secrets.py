"""How the secrets of a device are sealed: each for its own purpose, so that one cannot stand in for another."""

import secrets
from dataclasses import replace
from datetime import timedelta

from provisioner.access.device_password import (
    PasswordRule,
    check_device_password,
    generate_password,
    generate_pin,
    generate_sip_secret,
)
from provisioner.access.tokens import hash_secret, new_url_token
from provisioner.clock import Clock
from provisioner.model import Device, Line, Tenant
from provisioner.profiles.manifest import Profile
from provisioner.secrets import KeyRing

PREVIOUS_IS_GOOD_FOR = timedelta(days=7)
"""How long a replaced password is accepted from a phone that has not used the new one yet."""

SEALED_DEVICE_COLUMNS = (
    "password",
    "previous_password",
    "token",
    "action_token",
    "admin_password",
    "admin_pin",
)


def purpose(device_uid: str, column: str) -> str:
    """What a device's secret is sealed for."""
    return f"device.{'password' if column == 'previous_password' else column}:{device_uid}"


def line_purpose(account: str) -> str:
    """What a line's SIP password is sealed for."""
    return f"line.secret:{account}"


def furnish(device: Device, keyring: KeyRing, *, profile: Profile) -> None:
    """Give a new device its uid, path tokens and the phone's own random admin secrets, in characters its vendor takes."""
    device.uid = secrets.token_hex(16)
    token, action_token = new_url_token(), new_url_token()
    device.token, device.token_hash = (
        keyring.seal(token, purpose=purpose(device.uid, "token")),
        hash_secret(token).hex(),
    )
    device.action_token = keyring.seal(action_token, purpose=purpose(device.uid, "action_token"))
    device.action_hash = hash_secret(action_token).hex()
    typable = PasswordRule(alphabet=frozenset(profile.password_alphabet) or None)
    device.admin_password = keyring.seal(
        generate_password(typable, length=16), purpose=purpose(device.uid, "admin_password")
    )
    device.admin_pin = keyring.seal(generate_pin(8), purpose=purpose(device.uid, "admin_pin"))


def choose_password(chosen: str | None, *, tenant: Tenant, profile: Profile, device: Device) -> str:
    """The chosen password after the rule R1.4, or a generated one that this vendor's phones can take.

    Raises WeakPassword with one sentence for each missing class.
    """
    rule = password_rule(tenant, profile)
    if chosen is None:
        return generate_password(replace(rule, alphabet=frozenset(profile.password_alphabet) or None))
    check_device_password(chosen, rule, username=device.username, mac=device.mac)
    return chosen


def password_rule(tenant: Tenant, profile: Profile) -> PasswordRule:
    """The rule R1.4, as strict as the tenant wants it and no longer than this vendor's phones take."""
    longest = min(64, profile.password_max)
    return PasswordRule(
        shortest=min(tenant.password_minimum, longest),
        longest=longest,
        forbidden=frozenset({profile.id}),
    )


def replace_password(
    device: Device, password: str, *, keyring: KeyRing, clock: Clock, keep_previous: bool
) -> None:
    """Seal the new password; the old one stays good until the phone has used the new one, or for a week."""
    if keep_previous and device.password:
        old = keyring.open(device.password, purpose=purpose(device.uid, "password"))
        device.previous_password = keyring.seal(old, purpose=purpose(device.uid, "previous_password"))
        device.previous_until = clock() + PREVIOUS_IS_GOOD_FOR
    else:
        device.previous_password, device.previous_until = "", None
    device.password = keyring.seal(password, purpose=purpose(device.uid, "password"))


def new_line(device: Device, keyring: KeyRing, *, position: int) -> Line:
    """A line with a SIP account of its own: an unguessable name and a long random password."""
    account = "d" + secrets.token_hex(5)
    return Line(
        tenant_id=device.tenant_id,
        position=position,
        account=account,
        secret=keyring.seal(generate_sip_secret(), purpose=line_purpose(account)),
        kind="empty",
    )
