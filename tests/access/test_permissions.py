import pytest

from provisioner.access.permissions import MATRIX, Permission, Role, allows, require
from provisioner.errors import Forbidden

ALLOWED = {
    Role.ADMIN: "tenant-write sites-write users-write devices-write settings-write logins-write tokens-write audit-read",
    Role.INSTALLER: "users-read devices-write devices-test device-settings-write registrations-read fetches-read",
    Role.USER: "own-login own-settings",
    Role.PBX: "pbx-directory pbx-events",
    Role.OPERATOR: "tenants-write health-read devices-write users-write",
}
REFUSED = {
    Role.ADMIN: "tenants-read tenants-write health-read pbx-events",
    Role.INSTALLER: "settings-write users-write logins-read tokens-read audit-read tenant-write pbx-directory",
    Role.USER: "devices-read users-read settings-read registrations-read pbx-directory",
    Role.PBX: "devices-read users-read own-login tokens-read",
    Role.OPERATOR: "pbx-directory pbx-events",
}


@pytest.mark.parametrize("role", Role)
def test_each_role_may_what_it_is_for_and_not_more(role: Role) -> None:
    for name in ALLOWED[role].split():
        assert allows(role, Permission(name)), name
    for name in REFUSED[role].split():
        assert not allows(role, Permission(name)), name


def test_every_role_is_in_the_matrix_and_every_permission_is_given_to_somebody() -> None:
    assert set(MATRIX) == set(Role)
    assert frozenset().union(*MATRIX.values()) == set(Permission)


def test_nobody_may_nothing_t15() -> None:
    assert not any(allows(None, permission) for permission in Permission)


def test_who_may_write_may_read() -> None:
    for permissions in MATRIX.values():
        for permission in permissions:
            if permission.value.endswith("-write") and not permission.value.startswith("device-settings"):
                assert Permission(permission.value.replace("-write", "-read")) in permissions


def test_a_refusal_names_the_permission() -> None:
    with pytest.raises(Forbidden) as caught:
        require(Role.USER, Permission.DEVICES_WRITE)
    assert caught.value.data == {"permission": "devices-write"}
    require(Role.ADMIN, Permission.DEVICES_WRITE)
