from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.composition.catalogue import SCOPES, load_catalogue
from provisioner.errors import InvalidSetting

CATALOGUE = load_catalogue()


@pytest.mark.parametrize("name", CATALOGUE.settings)
def test_every_entry_is_whole_and_its_default_is_acceptable(name: str) -> None:
    setting = CATALOGUE[name]
    assert setting.group in CATALOGUE.groups
    assert set(setting.scopes) <= set(SCOPES)
    assert setting.label
    assert setting.help.endswith(".")
    default = list(setting.default) if isinstance(setting.default, tuple) else setting.default
    assert setting.check(default) == default


@pytest.mark.parametrize(
    ("name", "given_value", "kept"),
    [
        ("language", " nl ", "nl"), ("timezone", "Europe/Warsaw", "Europe/Warsaw"), ("ntp_server", "", ""), ("ntp_server", "2001:db8::1", "2001:db8::1"),
        ("registrar_port", "5062", 5062), ("time_format_24h", "off", False), ("time_format_24h", 1, True), ("codecs", "pcma, g722", ["pcma", "g722"]), ("sip_expires", 60, 60),
        ("hotdesk_logout_at", " 20:00 ", "20:00"), ("hotdesk_logout_at", "7:05", "07:05"), ("hotdesk_logout_at", "", ""), ("hotdesk_logout_at", "23:59", "23:59"),
    ],
)  # fmt: skip
def test_a_good_value_gets_its_one_form(name: str, given_value: Any, kept: Any) -> None:
    assert CATALOGUE.check(name, CATALOGUE[name].scopes[-1], given_value) == kept


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("language", "klingon"), ("timezone", "Mars/Base"), ("ntp_server", "http://x"), ("ntp_server", "a b"), ("registrar_port", 65_536), ("registrar_port", -1),
        ("registrar_port", 1.5), ("registrar_port", True), ("sip_expires", 59), ("time_format_24h", "perhaps"), ("codecs", "mp3"), ("codecs", "pcma,pcma"), ("registrar_port", "x"),
        ("phone_admin_password", "two\nlines"), ("phone_admin_password", "x" * 201), ("phone_admin_password", "half \ud800"),
        ("hotdesk_logout_at", "24:00"), ("hotdesk_logout_at", "8"), ("hotdesk_logout_at", "12:60"), ("hotdesk_logout_at", "١٢:٠٠"), ("hotdesk_logout_at", 2000),
        ("hotdesk_logout_after", 169),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_with_the_name_of_the_setting(name: str, wrong: Any) -> None:
    """T11."""
    with pytest.raises(InvalidSetting) as caught:
        CATALOGUE.check(name, CATALOGUE[name].scopes[-1], wrong)
    assert (caught.value.field, name in caught.value.detail) == (name, True)


def test_an_address_holds_no_password() -> None:
    """T19."""
    setting = next(setting for setting in CATALOGUE.settings.values() if setting.type == "url")
    with pytest.raises(InvalidSetting, match="no password"):
        setting.check("https://ann:secret@x.test/")
    for wrong in ("ftp://x.test", "javascript:alert(1)", "https://"):
        with pytest.raises(InvalidSetting):
            setting.check(wrong)


def test_a_scope_where_it_cannot_be_set_is_named() -> None:
    with pytest.raises(InvalidSetting, match="not for tenant"):
        CATALOGUE.check("dnd", "tenant", True)
    with pytest.raises(InvalidSetting, match="property of the tenant"):
        CATALOGUE.check("sip_domain", "tenant", "x.test")


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(InvalidSetting, match="language"):
        CATALOGUE.check("languages", "tenant", "nl")


@given(
    st.sampled_from(sorted(CATALOGUE.settings)),
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(),
        st.lists(st.text()),
        st.dictionaries(st.text(), st.integers()),
    ),
)
def test_any_value_is_either_kept_for_good_or_refused(name: str, value: Any) -> None:
    setting = CATALOGUE[name]
    for scope in setting.scopes:
        try:
            kept = CATALOGUE.check(name, scope, value)
        except InvalidSetting:
            continue
        assert kept is None or setting.check(kept) == kept
