"""Devices over REST: from enrolment to removal, and what bad input gets."""

from typing import Any

import pytest
from sqlalchemy import select

from provisioner.access.reasons import Reason
from provisioner.model import Device, Line, Registration
from provisioner.services.context import SYSTEM
from provisioner.services.device_secrets import line_purpose
from provisioner.services.files.fetch_log import FetchLog
from provisioner.services.files.fetch_rows import Note
from provisioner.services.files.phone_files import compose_device
from tests.api.world import DEVICE_PASSWORD, ApiClient

NEW: dict[str, Any] = {"profile": "generic", "model": "Generic", "mac": "02-00-00-00-30-01"}


async def enrol(api: ApiClient, *, expect: int = 201, **fields: Any) -> Any:
    return await api.post(
        f"/tenants/{api.world.own.tenant}/devices", {**NEW, **fields}, by="installer", expect=expect
    )


async def test_enrolling_answers_the_password_once_and_what_to_type(api: ApiClient) -> None:
    user = await api.post(
        f"/tenants/{api.world.own.tenant}/users", {"name": "Bob", "extension": "1002"}, expect=201
    )
    made = await enrol(api, user_id=user["id"])
    device = made["device"]
    assert made["was_generated"] is True
    assert len(made["password"]) >= 12
    assert device["mac"] == "02:00:00:00:30:01"
    assert device["user"] == {"id": user["id"], "name": "Bob", "extension": "1002"}
    assert device["registration"] == {
        "state": "never",
        "since": None,
        "until": None,
        "reason": "",
        "source": "",
    }
    assert device["onboarding"]["url"] == "https://localhost:8443/p/020000003001/linphone.xml"
    assert device["onboarding"]["username"] == device["username"]
    assert any(
        step["shows"] == "provisioning_url" and step["value"] == device["onboarding"]["url"]
        for step in device["onboarding"]["steps"]
    )
    assert made["password"] not in str(await api.get(f"/devices/{device['id']}"))


async def test_a_new_device_says_where_it_is(api: ApiClient) -> None:
    response = await api.response(
        "POST", f"/tenants/{api.world.own.tenant}/devices", by="installer", json=NEW
    )
    document = await response.json()
    assert response.status == 201
    assert response.headers["Location"] == f"/api/v1/devices/{document['device']['id']}"
    assert response.headers["Cache-Control"] == "no-store"


async def test_steps_are_in_the_language_that_is_asked_for(api: ApiClient) -> None:
    english, dutch = [
        (await api.get(f"/devices/{api.world.own.device}?language={language}"))["onboarding"]["steps"]
        for language in ("en", "nl")
    ]
    assert english != dutch
    assert [step["value"] for step in english] == [step["value"] for step in dutch]


async def test_a_wrong_mac_says_what_is_wrong(api: ApiClient) -> None:
    problem = await enrol(api, mac="02:00:00:00:30:0O", expect=422)
    assert problem["type"] == "/problems#invalid-mac"
    assert "the letter O" in problem["detail"]
    assert problem["errors"] == [{"field": "mac", "message": problem["detail"]}]


async def test_a_mac_of_the_own_tenant_names_the_device_that_has_it(api: ApiClient) -> None:
    problem = await enrol(api, mac="02.00.00.00.10.01", expect=409)
    assert problem["type"] == "/problems#mac-taken"
    assert (problem["device"], problem["tenant"]) == ("bakery phone", "Bakery")


async def test_a_mac_of_another_tenant_is_only_taken(api: ApiClient) -> None:
    problem = await enrol(api, mac="020000002001", expect=409)
    assert problem["detail"] == "02:00:00:00:20:01 is already registered on this server."
    assert "florist" not in str(problem).lower()
    assert "device" not in problem


@pytest.mark.parametrize(
    ("password", "sentence"),
    [
        ("kk7-walnut.tree", "It needs an upper-case letter."),
        ("KK7-WALNUT.TREE", "It needs a lower-case letter."),
        ("Kkk-Walnut.tree", "It needs a digit."),
        ("Kk7Walnuttree", "It needs a special character, such as - _ . ! *."),
        ("Kk7-", "It needs at least 6 characters."),
    ],
)
async def test_each_missing_part_of_the_password_rule_is_named(
    api: ApiClient, password: str, sentence: str
) -> None:
    problem = await enrol(api, password=password, expect=422)
    assert problem["type"] == "/problems#weak-password"
    assert problem["missing"] == [sentence]
    assert problem["errors"] == [{"field": "password", "message": sentence}]
    assert password not in str(problem)


async def test_all_missing_parts_are_named_at_once(api: ApiClient) -> None:
    assert len((await enrol(api, password="abc", expect=422))["missing"]) == 4


async def test_an_unknown_model_gets_the_list(api: ApiClient) -> None:
    problem = await enrol(api, model="D999", expect=422)
    assert problem["type"] == "/problems#unknown-model"
    assert "generic/Generic" in problem["models"]
    assert len(problem["models"]) > 50


async def test_the_oui_of_another_vendor_is_a_warning(api: ApiClient) -> None:
    profiles = api.world.context.profiles.all
    oui = next(oui for oui in profiles["snom"].ouis if len(oui) == 6)
    made = await enrol(
        api, profile="yealink", model=next(iter(profiles["yealink"].models)), mac=oui + "123456"
    )
    assert len(made["warnings"]) == 1
    assert profiles["snom"].label in made["warnings"][0]


async def test_nothing_is_stored_when_anything_is_wrong(api: ApiClient) -> None:
    before = (await api.get("/devices"))["total"]
    await enrol(api, policy="no such policy", expect=422)
    await enrol(api, user_id=2_000_000_000, expect=422)
    await enrol(api, password="short", expect=422)
    assert (await api.get("/devices"))["total"] == before


async def test_a_second_device_without_premium_is_refused(api: ApiClient) -> None:
    problem = await enrol(api, user_id=api.world.own.user, expect=409)
    assert (problem["type"], problem["field"]) == ("/problems#too-many-devices", "user_id")
    await api.patch(f"/tenants/{api.world.own.tenant}", {"is_premium": True})
    await enrol(api, user_id=api.world.own.user)


async def test_devices_are_found_by_search_and_filters(api: ApiClient) -> None:
    made = await enrol(api, name="Reception", note="behind the door")
    for query in (
        "search=recep",
        "search=02:00:00:00:30",
        "search=door",
        "profile=generic&search=reception",
        "state=never&search=reception",
    ):
        assert [device["id"] for device in (await api.get(f"/devices?{query}"))["items"]] == [
            made["device"]["id"]
        ], query
    assert (await api.get("/devices?state=registered"))["total"] == 0
    assert (await api.get(f"/devices?user_id={api.world.own.user}"))["total"] == 1
    assert (await api.get("/devices?state=green", expect=422))["errors"][0]["field"] == "state"


async def test_the_tick_is_on_the_device_and_in_the_list(api: ApiClient) -> None:
    context, device = api.world.context, api.world.own.device
    async with context.store.write() as session:
        row = (await session.execute(select(Device).where(Device.id == device))).scalar_one()
        line_id = await _line_id(api, device)
        session.add(
            Registration(
                line_id=line_id,
                tenant_id=row.tenant_id,
                device_id=row.id,
                state="registered",
                since=context.clock(),
                reason="Linphone/5",
                source="registrar",
            )
        )
    assert (await api.get(f"/devices/{device}"))["registration"]["state"] == "registered"
    assert [item["device_id"] for item in (await api.get("/registrations?state=registered"))["items"]] == [
        device
    ]
    counts = await api.get("/registrations/counts")
    assert (counts["registered"], counts["never"]) == (1, 0)


async def test_a_device_is_changed_field_by_field(api: ApiClient) -> None:
    path = f"/devices/{api.world.own.device}"
    before = await api.get(path)
    changed = await api.patch(path, {"name": "Kitchen"}, by="installer")
    assert changed["warnings"] == []
    assert changed["device"] == {
        **before,
        "name": "Kitchen",
        "is_up_to_date": changed["device"]["is_up_to_date"],
    }
    freed = await api.patch(path, {"user_id": None})
    assert freed["device"]["user"] is None
    assert (await api.patch(path, {"colour": "red"}, expect=422))["errors"] == [
        {"field": "colour", "message": "There is no such field here."}
    ]


async def test_a_new_password_is_shown_once(api: ApiClient) -> None:
    path = f"/devices/{api.world.own.device}/password"
    made = await api.post(path, {}, by="installer")
    assert made["was_generated"] is True
    chosen = await api.post(path, {"password": "Another-9-good", "at_once": True})
    assert chosen == {"password": "Another-9-good", "was_generated": False}
    assert (await api.post(path, {"password": "weak"}, expect=422))["type"] == "/problems#weak-password"


async def test_claim_window_and_unlock(api: ApiClient) -> None:
    path = f"/devices/{api.world.own.device}"
    assert (await api.post(f"{path}/claim-window", {"minutes": 15}, by="installer"))[
        "window_until"
    ] is not None
    await api.post(f"{path}/claim-window", {"minutes": 1441}, expect=422)
    assert (await api.post(f"{path}/unlock", by="installer"))["locked_until"] is None


async def test_previews_have_no_secret_in_them(api: ApiClient) -> None:
    device, context = api.world.own.device, api.world.context
    await api.patch(f"/devices/{device}", {"policy": "token"})
    await api.put(f"/devices/{device}/settings", {"values": {"phone_admin_password": "Canary-1-secret"}})
    config = await compose_device(context, SYSTEM, device_id=device)
    files = await api.get(f"/devices/{device}/files")
    shown = str(files)
    secrets = {
        config.password,
        config.lines[0].password,
        config.path.removeprefix("/p/t/"),
        "Canary-1-secret",
        config.settings["phone_admin_pin"].value,
    }
    assert len(secrets) == 5
    assert config.password == DEVICE_PASSWORD
    assert {secret for secret in secrets if secret in shown} == set()
    assert {"linphone", "account", "sheet"} <= {file["id"] for file in files["items"]}
    assert all(file["text"] and len(file["hash"]) == 64 for file in files["items"] if not file["problem"])
    linphone = next(file for file in files["items"] if file["id"] == "linphone")
    assert config.lines[0].account in linphone["text"]


@pytest.mark.parametrize(("vendor", "mac"), [("snom", "000413AA0001"), ("yealink", "805EC0AA0001")])
async def test_previews_of_desk_phones_have_no_secret_either(api: ApiClient, vendor: str, mac: str) -> None:
    context = api.world.context
    made = await enrol(
        api,
        profile=vendor,
        model=next(iter(context.profiles.all[vendor].models)),
        mac=mac,
        password=DEVICE_PASSWORD,
    )
    config = await compose_device(context, SYSTEM, device_id=made["device"]["id"])
    files = await api.get(f"/devices/{made['device']['id']}/files")
    action = config.server.action_url.rpartition("/")[2]
    for secret in (
        DEVICE_PASSWORD,
        config.lines[0].password,
        action,
        config.settings["phone_admin_password"].value,
        config.settings["phone_admin_pin"].value,
    ):
        assert secret
        assert secret not in str(files)
    assert all(file["problem"] == "" and file["size"] > 0 for file in files["items"])


async def test_the_provisioning_log_is_in_words(api: ApiClient) -> None:
    context, own = api.world.context, api.world.own
    log = FetchLog(context.store, context.hub)
    now = context.clock().timestamp()
    common = ("GET", f"{own.mac}/linphone.xml", "Linphone/5")
    log.note(
        Note(
            own.tenant,
            own.device,
            own.mac,
            now - 2,
            "192.0.2.9",
            *common,
            401,
            Reason.WRONG_PASSWORD,
            '{"count": 3, "source": "192.0.2.9"}',
            "",
            0,
        )
    )
    log.note(
        Note(
            own.tenant,
            own.device,
            own.mac,
            now - 1,
            "192.0.2.9",
            *common,
            200,
            Reason.ALLOWED,
            "{}",
            "ab" * 32,
            1,
        )
    )
    log.note(
        Note(
            own.tenant,
            own.device,
            own.mac,
            now,
            "192.0.2.9",
            "GET",
            "/a/…/boot",
            "",
            200,
            "hint-boot",
            "{}",
            "",
            0,
        )
    )
    log.note(
        Note(None, None, "020000007777", now, "192.0.2.9", *common, 401, Reason.UNKNOWN_MAC, "{}", "", 0)
    )
    await log.flush()
    page = await api.get(f"/devices/{own.device}/fetches", by="installer")
    assert [item["sentence"] for item in page["items"]] == [
        "the phone says that it started",
        "got its configuration",
        "wrong password, 3rd time, from 192.0.2.9",
    ]
    strangers = await api.get("/strangers", by="operator")
    assert [item["mac"] for item in strangers["items"]] == ["020000007777"]
    await api.get("/strangers", by="admin", expect=403)


async def test_a_removed_device_is_gone_with_its_reason_in_the_audit_log(api: ApiClient) -> None:
    device = api.world.own.device
    await api.delete(f"/devices/{device}?reason=stolen", by="installer")
    await api.get(f"/devices/{device}", expect=404)
    newest = (await api.get("/audit"))["items"][0]
    assert (newest["action"], newest["detail"]["reason"]) == ("device.remove", "stolen")
    assert "installer" in newest["actor"]


async def test_a_device_of_a_vendor_that_is_switched_off_can_still_be_seen(api: ApiClient) -> None:
    context, device = api.world.context, api.world.own.device
    async with context.store.write() as session:
        row = await session.get(Device, device)
        assert row is not None
        row.profile = "gone"
    shown = await api.get(f"/devices/{device}")
    assert shown["onboarding"] is None
    assert "gone" in shown["warnings"][0]
    assert (await api.get(f"/devices/{device}/files", expect=503))["type"] == "/problems#unavailable"


async def test_no_answer_has_a_sip_password(api: ApiClient) -> None:
    context, device = api.world.context, api.world.own.device
    async with context.store.read() as session:
        row = (await session.execute(select(Device).where(Device.id == device))).scalar_one()
        line = (await session.execute(select(Line).where(Line.device_id == row.id))).scalar_one()
    secret = context.keyring.open(line.secret, purpose=line_purpose(line.account))
    for path in (
        f"/devices/{device}",
        "/devices",
        f"/devices/{device}/explain?limit=500",
        f"/devices/{device}/files",
        "/registrations",
    ):
        assert secret not in str(await api.get(path))


async def _line_id(api: ApiClient, device: int) -> int:
    async with api.world.context.store.read() as session:
        return (await session.execute(select(Line.id).where(Line.device_id == device))).scalar_one()
