import re

import pytest

from provisioner.access.permissions import Permission, Role, allows
from provisioner.web.ui.guard import Route
from provisioner.web.ui.routes import ROUTES
from tests.ui.conftest import Site
from tests.ui.office import Office


def path_of(route: Route, office: Office, *, tenant: str = "acme") -> str:
    """The route's address with things that exist."""
    foreign = tenant != "acme"
    values = {
        "tenant": tenant,
        "user": office.other_user if foreign else office.users["Bram Jansen"],
        "device": office.other_device if foreign else office.devices["Bram's desk"],
        "site": office.other_site if foreign else office.site,
        "login": office.logins["user"],
        "token": 999,
        "shared_line": 999,
        "number": 999,
    }
    return re.sub(r"\{(\w+):[^{}]*(?:\{[^{}]*\}[^{}]*)*\}", lambda found: str(values[found[1]]), route.path)


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.ADMIN, Role.INSTALLER, Role.USER, None])
async def test_every_route_asks_for_its_permission(site: Site, role: Role | None) -> None:
    for route in ROUTES:
        if (
            route.access == "public"
            or route.path in {"/logout", "/own/password"}
            or route.path.endswith("/live")
        ):
            continue
        path = path_of(route, site.office)
        browser = site.browser(role.value if role else "")
        async with browser.request(
            route.method, path, allow_redirects=False, data={} if route.method == "POST" else None
        ) as response:
            where = f"{role} {route.method} {path}"
            if role is None:
                assert response.status == 303, where
                assert response.headers["Location"].startswith("/login"), where
            elif allows(role, Permission(route.access)):
                assert response.status not in {401, 403}, where
            else:
                assert response.status == 403, where


async def test_only_the_login_and_the_reset_link_are_public() -> None:
    assert {route.path.partition("{")[0] for route in ROUTES if route.access == "public"} == {
        "/login",
        "/reset/",
    }


async def test_another_tenants_pages_do_not_exist(site: Site) -> None:
    for route in ROUTES:
        if not route.path.startswith("/t/"):
            continue
        async with site.browser("admin").request(
            route.method, path_of(route, site.office, tenant="rival"), allow_redirects=False
        ) as response:
            assert response.status == 404, route.path


async def test_another_tenants_things_do_not_exist_under_the_own_address(site: Site) -> None:
    office = site.office
    for path in (
        f"users/{office.other_user}", f"users/{office.other_user}/edit", f"users/{office.other_user}/settings",
        f"devices/{office.other_device}", f"devices/{office.other_device}/files", f"devices/{office.other_device}/settings",
        f"sites/{office.other_site}/edit", f"sites/{office.other_site}/settings", f"logins/{office.logins['rival']}/remove",
        f"devices/new?type=snom/D785&user={office.other_user}",
    ):  # fmt: skip
        for who in ("admin", "operator"):
            page = await site.get(f"/t/acme/{path}", who=who, status=404)
            assert "Rival" not in page, path


async def test_another_tenants_things_cannot_be_changed(site: Site) -> None:
    office = site.office
    for path in (
        f"users/{office.other_user}/edit", f"users/{office.other_user}/remove", f"devices/{office.other_device}/remove",
        f"devices/{office.other_device}/password", f"devices/{office.other_device}/unlock", f"devices/{office.other_device}/window",
        f"sites/{office.other_site}/remove", f"logins/{office.logins['rival']}/block", f"users/{office.other_user}/settings",
        f"devices/{office.other_device}/settings",
    ):  # fmt: skip
        await site.post(f"/t/acme/{path}", {"name": "taken over", "minutes": "15"}, status=404)
    taken = {"type": "snom/D785", "mac": "000413CC0001", "user_id": str(office.other_user)}
    await site.post("/t/acme/devices/new", taken, status=404)


async def test_the_role_user_sees_the_own_phone_and_changes_own_forwarding_only(site: Site) -> None:
    async with site.browser("user").get("/") as response:
        page = await response.text()
    assert "Anna&#39;s desk" in page
    assert "Bram&#39;s desk" not in page
    sent = {
        "mode.forward_always": "set", "value.forward_always": "+31201234567",
        "mode.language": "=nl", "mode.timezone": "set", "value.timezone": "Europe/Warsaw",
    }  # fmt: skip
    assert await site.post("/me/settings", sent, who="user") == "/me/settings?done=saved"
    page = await site.get(f"/t/acme/users/{site.office.users['Anna de Vries']}/settings")
    assert 'value="+31201234567"' in page
    assert 'value="Europe/Warsaw"' not in page
