"""Every address of the user interface with the permission it needs; nothing is open that does not stand here as public."""

from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from provisioner.access.permissions import Permission as P  # noqa: N817 - the table below is read by column
from provisioner.web.ui import live
from provisioner.web.ui.assets import assets, serve_asset
from provisioner.web.ui.guard import Answer, Route, guarded
from provisioner.web.ui.pages import (
    audit,
    device,
    device_actions,
    devices,
    errors,
    files,
    hotdesk,
    internal_numbers,
    keys,
    login,
    logins,
    new_device,
    own,
    pbx,
    seats,
    settings,
    shared_lines,
    sites,
    start,
    tenants,
    tokens,
    users,
)
from provisioner.web.ui.templating import environment
from provisioner.web.ui.translations import LANGUAGES
from provisioner.web.ui.visit import Visit

_T: Final = "/t/{tenant:[a-z0-9-]{1,40}}"
_USER: Final = _T + r"/users/{user:\d{1,15}}"
_DEVICE: Final = _T + r"/devices/{device:\d{1,15}}"
_NUMBER: Final = _T + r"/numbers/{number:\d{1,15}}"
_SHARED: Final = _T + r"/shared-lines/{shared_line:\d{1,15}}"
_SITE: Final = _T + r"/sites/{site:\d{1,15}}"
_OTHERS: Final = "/{tail:(?!api/|pbx/|static/|healthz|readyz|metrics).*}"


def _shows(place: Callable[[Visit], Awaitable[settings.Place]], *, change: P) -> Answer:
    async def answer(visit: Visit) -> web.StreamResponse:
        return await settings.show_settings(visit, await place(visit), may_change=visit.may(change))

    return answer


def _changes(place: Callable[[Visit], Awaitable[settings.Place]]) -> Answer:
    async def answer(visit: Visit) -> web.StreamResponse:
        return await settings.change_settings(visit, await place(visit))

    return answer


def _shows_keys(place: keys.Place, *, change: P) -> Answer:
    async def answer(visit: Visit) -> web.StreamResponse:
        return await keys.show_keys(visit, await place(visit), may_change=visit.may(change))

    return answer


def _changes_keys(place: keys.Place) -> Answer:
    async def answer(visit: Visit) -> web.StreamResponse:
        return await keys.change_keys(visit, await place(visit))

    return answer


def _logins_and_tokens(prefix: str) -> tuple[Route, ...]:
    """The same pages for a tenant and, for operators, for the whole server."""
    each_login, each_token = prefix + r"/logins/{login:\d{1,15}}", prefix + r"/tokens/{token:\d{1,15}}"
    return (
        Route("GET", f"{prefix}/logins", P.LOGINS_READ, logins.show_logins),
        Route("GET", f"{prefix}/logins/new", P.LOGINS_WRITE, logins.new_login),
        Route("POST", f"{prefix}/logins/new", P.LOGINS_WRITE, logins.add_login),
        Route("POST", f"{each_login}/block", P.LOGINS_WRITE, logins.block),
        Route("POST", f"{each_login}/unblock", P.LOGINS_WRITE, logins.unblock),
        Route("POST", f"{each_login}/reset", P.LOGINS_WRITE, logins.reset_link),
        Route("GET", f"{each_login}/remove", P.LOGINS_WRITE, logins.confirm_login_removal),
        Route("POST", f"{each_login}/remove", P.LOGINS_WRITE, logins.drop_login),
        Route("GET", f"{prefix}/tokens", P.TOKENS_READ, tokens.show_tokens),
        Route("GET", f"{prefix}/tokens/new", P.TOKENS_WRITE, tokens.new_token),
        Route("POST", f"{prefix}/tokens/new", P.TOKENS_WRITE, tokens.add_token),
        Route("GET", f"{each_token}/revoke", P.TOKENS_WRITE, tokens.confirm_revocation),
        Route("POST", f"{each_token}/revoke", P.TOKENS_WRITE, tokens.revoke),
        Route("GET", f"{prefix}/audit", P.AUDIT_READ, audit.show_audit),
    )


ROUTES: Final[tuple[Route, ...]] = (
    Route("GET", "/login", "public", login.show_login),
    Route("POST", "/login", "public", login.log_in),
    Route("GET", "/reset/{token:[A-Za-z0-9_-]{1,80}}", "public", login.show_reset),
    Route("POST", "/reset/{token:[A-Za-z0-9_-]{1,80}}", "public", login.reset),
    Route("POST", "/logout", P.OWN_LOGIN, login.leave),
    Route("GET", "/", P.OWN_LOGIN, start.show_start),
    Route("GET", "/own", P.OWN_LOGIN, own.show_own),
    Route("POST", "/own", P.OWN_LOGIN, own.change_own),
    Route("POST", "/own/password", P.OWN_LOGIN, own.change_own_password),
    Route("GET", "/me", P.OWN_SETTINGS, own.show_me),
    Route("GET", "/me/live", P.OWN_SETTINGS, live.stream),
    Route("POST", "/me/pin", P.OWN_SETTINGS, own.renew_own_pin),
    Route("POST", "/me/primary", P.OWN_SETTINGS, own.choose_own_primary),
    Route("GET", "/me/settings", P.OWN_SETTINGS, _shows(settings.own_place, change=P.OWN_SETTINGS)),
    Route("POST", "/me/settings", P.OWN_SETTINGS, _changes(settings.own_place)),
    Route("GET", "/tenants/new", P.TENANTS_WRITE, tenants.new_tenant),
    Route("POST", "/tenants/new", P.TENANTS_WRITE, tenants.add_tenant),
    Route("GET", "/unknown", P.HEALTH_READ, start.show_strangers),
    Route("GET", _T, P.DEVICES_READ, start.show_overview),
    Route("GET", f"{_T}/live", P.REGISTRATIONS_READ, live.stream),
    Route("GET", f"{_T}/users", P.USERS_READ, users.show_users),
    Route("GET", f"{_T}/users/new", P.USERS_WRITE, users.new_user),
    Route("POST", f"{_T}/users/new", P.USERS_WRITE, users.add_user),
    Route("GET", _USER, P.USERS_READ, users.show_user),
    Route("GET", f"{_USER}/edit", P.USERS_WRITE, users.edit_user),
    Route("POST", f"{_USER}/edit", P.USERS_WRITE, users.change_user),
    Route("GET", f"{_USER}/remove", P.USERS_WRITE, users.confirm_user_removal),
    Route("POST", f"{_USER}/remove", P.USERS_WRITE, users.drop_user),
    Route("GET", f"{_USER}/settings", P.SETTINGS_READ, _shows(settings.user_place, change=P.SETTINGS_WRITE)),
    Route("POST", f"{_USER}/settings", P.SETTINGS_WRITE, _changes(settings.user_place)),
    Route("POST", f"{_USER}/hotdesk", P.USERS_WRITE, hotdesk.give_pin),
    Route("POST", f"{_USER}/hotdesk/off", P.USERS_WRITE, hotdesk.take_right),
    Route("POST", f"{_USER}/hotdesk/unlock", P.USERS_WRITE, hotdesk.unlock_user),
    Route("POST", f"{_USER}/primary", P.USERS_WRITE, hotdesk.make_primary),
    Route("GET", f"{_T}/seats", P.SEATS_READ, seats.show_seats),
    Route("GET", f"{_T}/numbers", P.USERS_READ, internal_numbers.show_numbers),
    Route("GET", f"{_T}/numbers/new", P.USERS_WRITE, internal_numbers.new_number),
    Route("POST", f"{_T}/numbers/new", P.USERS_WRITE, internal_numbers.add_number),
    Route("GET", f"{_NUMBER}/edit", P.USERS_WRITE, internal_numbers.edit_number),
    Route("POST", f"{_NUMBER}/edit", P.USERS_WRITE, internal_numbers.change_number),
    Route("GET", f"{_NUMBER}/remove", P.USERS_WRITE, internal_numbers.confirm_number_removal),
    Route("POST", f"{_NUMBER}/remove", P.USERS_WRITE, internal_numbers.drop_number),
    Route("GET", f"{_T}/shared-lines", P.USERS_READ, shared_lines.show_shared_lines),
    Route("GET", f"{_T}/shared-lines/new", P.USERS_WRITE, shared_lines.new_shared_line),
    Route("POST", f"{_T}/shared-lines/new", P.USERS_WRITE, shared_lines.add_shared_line),
    Route("GET", f"{_T}/shared-lines/boss", P.USERS_WRITE, shared_lines.new_boss_line),
    Route("POST", f"{_T}/shared-lines/boss", P.USERS_WRITE, shared_lines.add_boss_line),
    Route("GET", f"{_SHARED}/edit", P.USERS_WRITE, shared_lines.edit_shared_line),
    Route("POST", f"{_SHARED}/edit", P.USERS_WRITE, shared_lines.change_shared_line),
    Route("GET", f"{_SHARED}/remove", P.USERS_WRITE, shared_lines.confirm_line_removal),
    Route("POST", f"{_SHARED}/remove", P.USERS_WRITE, shared_lines.drop_line),
    Route("GET", f"{_USER}/keys", P.SETTINGS_READ, _shows_keys(keys.user_place, change=P.SETTINGS_WRITE)),
    Route("POST", f"{_USER}/keys", P.SETTINGS_WRITE, _changes_keys(keys.user_place)),
    Route("GET", f"{_T}/devices", P.DEVICES_READ, devices.show_devices),
    Route("GET", f"{_T}/devices/new", P.DEVICES_WRITE, new_device.show_new_device),
    Route("POST", f"{_T}/devices/new", P.DEVICES_WRITE, new_device.add_device),
    Route("GET", f"{_T}/devices/check-mac", P.DEVICES_WRITE, new_device.check_mac),
    Route("POST", f"{_T}/devices/check-password", P.DEVICES_WRITE, new_device.check_password),
    Route("GET", _DEVICE, P.DEVICES_READ, device.show_device),
    Route("GET", f"{_DEVICE}/edit", P.DEVICES_WRITE, device_actions.edit_device),
    Route("POST", f"{_DEVICE}/edit", P.DEVICES_WRITE, device_actions.change_device),
    Route("GET", f"{_DEVICE}/password", P.DEVICES_WRITE, device_actions.show_password),
    Route("POST", f"{_DEVICE}/password", P.DEVICES_WRITE, device_actions.replace_password),
    Route("POST", f"{_DEVICE}/window", P.DEVICES_TEST, device_actions.open_window),
    Route("POST", f"{_DEVICE}/unlock", P.DEVICES_TEST, device_actions.unlock),
    Route("POST", f"{_DEVICE}/resync", P.DEVICES_TEST, device_actions.resync),
    Route("POST", f"{_DEVICE}/hotdesk", P.DEVICES_WRITE, hotdesk.switch_device),
    Route("POST", f"{_DEVICE}/hotdesk/unlock", P.SEATS_WRITE, hotdesk.unlock_device_pin),
    Route("POST", f"{_DEVICE}/seat", P.SEATS_WRITE, hotdesk.log_somebody_in),
    Route("POST", f"{_DEVICE}/seat/leave", P.SEATS_WRITE, hotdesk.log_somebody_out),
    Route("POST", f"{_DEVICE}/lines", P.DEVICES_WRITE, hotdesk.assign_line),
    Route("GET", f"{_DEVICE}/remove", P.DEVICES_WRITE, device_actions.confirm_removal),
    Route("POST", f"{_DEVICE}/remove", P.DEVICES_WRITE, device_actions.drop_device),
    Route("GET", f"{_DEVICE}/files", P.DEVICES_READ, files.show_files),
    Route("GET", f"{_DEVICE}/sheet", P.DEVICES_WRITE, files.show_sheet),
    Route(
        "GET",
        f"{_DEVICE}/keys",
        P.SETTINGS_READ,
        _shows_keys(keys.device_place, change=P.DEVICE_SETTINGS_WRITE),
    ),
    Route("POST", f"{_DEVICE}/keys", P.DEVICE_SETTINGS_WRITE, _changes_keys(keys.device_place)),
    Route("GET", f"{_DEVICE}/strip", P.DEVICES_READ, keys.show_strip),
    Route(
        "GET",
        f"{_DEVICE}/settings",
        P.SETTINGS_READ,
        _shows(settings.device_place, change=P.DEVICE_SETTINGS_WRITE),
    ),
    Route("POST", f"{_DEVICE}/settings", P.DEVICE_SETTINGS_WRITE, _changes(settings.device_place)),
    Route("GET", f"{_T}/settings", P.SETTINGS_READ, _shows(settings.tenant_place, change=P.SETTINGS_WRITE)),
    Route("POST", f"{_T}/settings", P.SETTINGS_WRITE, _changes(settings.tenant_place)),
    Route("GET", f"{_T}/edit", P.TENANT_WRITE, tenants.edit_tenant),
    Route("POST", f"{_T}/edit", P.TENANT_WRITE, tenants.change_tenant),
    Route("GET", f"{_T}/pbx", P.TENANTS_WRITE, pbx.show_pbx),
    Route("POST", f"{_T}/pbx", P.TENANTS_WRITE, pbx.change_pbx),
    Route("POST", f"{_T}/pbx/test", P.TENANTS_WRITE, pbx.test_pbx),
    Route("POST", f"{_T}/pbx/remove", P.TENANTS_WRITE, pbx.remove_pbx),
    Route("GET", f"{_T}/sites", P.SITES_READ, sites.show_sites),
    Route("GET", f"{_T}/sites/new", P.SITES_WRITE, sites.new_site),
    Route("POST", f"{_T}/sites/new", P.SITES_WRITE, sites.add_site),
    Route("GET", f"{_SITE}/edit", P.SITES_WRITE, sites.edit_site),
    Route("POST", f"{_SITE}/edit", P.SITES_WRITE, sites.change_site),
    Route("GET", f"{_SITE}/remove", P.SITES_WRITE, sites.confirm_site_removal),
    Route("POST", f"{_SITE}/remove", P.SITES_WRITE, sites.drop_site),
    Route("GET", f"{_SITE}/settings", P.SETTINGS_READ, _shows(settings.site_place, change=P.SETTINGS_WRITE)),
    Route("POST", f"{_SITE}/settings", P.SETTINGS_WRITE, _changes(settings.site_place)),
    *_logins_and_tokens(_T),
    *_logins_and_tokens(""),
)


def prepare_pages() -> None:
    """Read and compile everything that pages need; some hundred milliseconds once per process, not for the event loop."""
    for language in LANGUAGES:
        environment(language)
    assets()


def add_ui(app: web.Application) -> None:
    """Add the user interface at / to the admin listener's application."""
    prepare_pages()
    app[live.STREAMS], app[live.SHARED] = live.Streams(), live.SharedTicks()
    app.on_shutdown.append(live.end_streams)
    app.router.add_get("/static/{hash:[0-9a-f]{16}}/{name:[a-z0-9./-]+}", serve_asset)
    for route in ROUTES:
        app.router.add_route(route.method, route.path, guarded(route))
    app.router.add_get(_OTHERS, guarded(Route("GET", _OTHERS, "public", errors.no_such_page)))
