from tests.ui.conftest import Site
from tests.ui.office import Office


def pages_of(office: Office) -> dict[str, list[str]]:
    """Every page by the person who may see it."""
    device, generic = office.devices["Anna's desk"], office.devices["Carla's softphone"]
    user = office.users["Anna de Vries"]
    tenant = "/t/acme"
    shared = [
        tenant, f"{tenant}/users", f"{tenant}/users?q=anna", f"{tenant}/users/{user}", f"{tenant}/users/{user}/settings",
        f"{tenant}/devices", f"{tenant}/devices?state=never&vendor=snom&site={office.site}&q=00:04", f"{tenant}/devices/new",
        f"{tenant}/devices/new?type=snom/D785&user={user}", f"{tenant}/devices/new?type=generic/Generic",
        f"{tenant}/devices/{device}", f"{tenant}/devices/{device}/edit", f"{tenant}/devices/{device}/password",
        f"{tenant}/devices/{device}/remove", f"{tenant}/devices/{device}/files", f"{tenant}/devices/{device}/settings?q=language",
        f"{tenant}/devices/{generic}", f"{tenant}/devices/{generic}/sheet", f"{tenant}/sites", f"{tenant}/settings", "/own", f"{tenant}/numbers", f"{tenant}/numbers?q=anna&kind=user",
    ]  # fmt: skip
    admins = [
        f"{tenant}/users/new", f"{tenant}/users/{user}/edit", f"{tenant}/users/{user}/remove", f"{tenant}/edit",
        f"{tenant}/seats", f"{tenant}/shared-lines", f"{tenant}/users/{user}/keys", f"{tenant}/devices/{device}/keys",
        f"{tenant}/devices/{device}/strip", f"{tenant}/numbers/new", f"{tenant}/numbers/1/edit", f"{tenant}/numbers/1/remove",
        f"{tenant}/sites/new", f"{tenant}/sites/{office.site}/edit", f"{tenant}/sites/{office.site}/remove",
        f"{tenant}/sites/{office.site}/settings", f"{tenant}/logins", f"{tenant}/logins/new",
        f"{tenant}/logins/{office.logins['installer']}/remove", f"{tenant}/tokens", f"{tenant}/tokens/new", f"{tenant}/audit",
    ]  # fmt: skip
    operators = [
        "/",
        "/tenants/new",
        "/unknown",
        "/logins",
        "/logins/new",
        "/tokens",
        "/tokens/new",
        "/audit",
    ]
    return {
        "operator": [*shared, *admins, *operators],
        "admin": [*shared, *admins],
        "installer": shared,
        "user": ["/me", "/me/settings", "/own"],
        "": ["/login", "/reset/abc"],
    }


async def test_every_page_renders_for_those_who_may_see_it(site: Site) -> None:
    for who, pages in pages_of(site.office).items():
        for page in pages:
            text = await site.get(page, who=who)
            assert text.startswith("<!doctype html>"), page
            assert text.rstrip().endswith("</html>"), page
