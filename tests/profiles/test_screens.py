"""Pages for phones' screens: what every vendor that has them must keep, and what the phones of two get exactly."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from provisioner.errors import ProfileBroken, RenderingFailed
from provisioner.profiles.catalogue_file import read_catalogue
from provisioner.profiles.check import check_profile
from provisioner.profiles.loader import Profiles, load_profile, load_profiles
from provisioner.profiles.screens import (
    MOST_LINES,
    Input,
    Item,
    Menu,
    Question,
    Screen,
    ScreenWriter,
    Text,
    largest_screens,
)
from provisioner.profiles.writers import XmlWriter
from tests.profiles.test_profile_contract import HOSTILE

ROOT = Path(__file__).parents[2]
CATALOGUE = read_catalogue(ROOT / "provisioner" / "composition" / "catalogue.toml")
URL = "https://prov.example.net:8443/x/0004130A0B0C/login/t"
TEMPLATES = {
    "templates/menu.j2": "<menu>{{ screen.title }}{% for item in screen.items %}<i>{{ item.url }}</i>{% endfor %}</menu>",
    "templates/input.j2": "<input>{{ screen.url }}{% for each in screen.questions %}<q>{{ each.name }}</q>{% endfor %}</input>",
    "templates/text.j2": "<text>{{ screen.lines | join(',') }}</text>",
    "screens_toml": 'menu = "menu.j2"\ninput = "input.j2"\ntext = "text.j2"\n',
}


@cache
def installed() -> Profiles:
    return load_profiles(ROOT / "vendor_profiles", settings=CATALOGUE)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "vendor_id" in metafunc.fixturenames:
        metafunc.parametrize("vendor_id", sorted(installed().screens))


def shape(vendor_id: str, screen: Screen) -> Counter[str]:
    """How often each element and attribute occurs."""
    body = installed().screens[vendor_id].render(screen).body
    return Counter(name for name, _ in XmlWriter().parse(body))


def of_text(text: str) -> tuple[Screen, ...]:
    """Screens of every kind with this text in every place that people can fill."""
    item = Item(text, URL)
    return (
        Menu(text, (item, item)),
        Input(text, URL, (Question("pin", text, is_secret=True),)),
        Text(text, (text, text), next=item, seconds=4),
        Text(text, (text,)),
    )


def test_the_two_vendors_with_screens_are_there() -> None:
    assert set(installed().screens) == {"snom", "yealink"}


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_text_never_leaves_its_place(vendor_id: str, text: str) -> None:
    for hostile, harmless in zip(of_text(text), of_text("harmless"), strict=True):
        assert shape(vendor_id, hostile) == shape(vendor_id, harmless)


@given(text=st.text(alphabet=st.characters(), min_size=1, max_size=80).map(lambda text: f"x{text}x"))
@settings(max_examples=25, deadline=None)
def test_no_text_at_all_leaves_its_place(vendor_id: str, text: str) -> None:
    for hostile, harmless in zip(of_text(text), of_text("harmless"), strict=True):
        assert shape(vendor_id, hostile) == shape(vendor_id, harmless)


@pytest.mark.parametrize("text", ["", "😀", "&", "\u202e"])
def test_the_fullest_page_is_small_enough_and_the_same_twice(vendor_id: str, text: str) -> None:
    """Phones read 10 000 bytes."""
    writer = installed().screens[vendor_id]
    for screen in largest_screens(text * 64):
        first = writer.render(screen)
        assert len(first.body) <= 10_000
        assert first == writer.render(screen)


def test_an_address_comes_through_whole(vendor_id: str) -> None:
    address = f"{URL}?a=1&b=<2>\"'"
    for screen in (Menu("t", (Item("i", address),)), Input("t", address, (Question("a", "b"),))):
        body = installed().screens[vendor_id].render(screen).body
        assert address in [element.text for element in etree.fromstring(body).iter()]


def test_a_pin_is_typed_unseen(vendor_id: str) -> None:
    seen, unseen = (Input("t", URL, (Question("pin", "PIN", is_secret=secret),)) for secret in (False, True))
    writer = installed().screens[vendor_id]
    assert writer.render(seen).body != writer.render(unseen).body


def test_what_a_page_has_no_room_for_is_cut() -> None:
    body = installed().screens["snom"].render(Text("t" * 500, ("x" * 500,) * 100)).body
    text = etree.fromstring(body).find("Text")
    assert text is not None
    assert len(list(text)) == MOST_LINES - 1
    assert max(len(str(part)) for part in text.itertext()) == 64


def test_a_speaker_shows_no_pages() -> None:
    writer = installed().screens["snom"]
    assert [writer.is_shown_on("D785"), writer.is_shown_on("PA1")] == [True, False]


# ---- what phones get, to the letter -------------------------------------------------------------------------------


def test_the_first_vendors_pages() -> None:
    write = installed().screens["snom"]
    assert write.render(Input("Log in", URL, (Question("pin", "PIN", is_secret=True),))).body.decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        "<SnomIPPhoneInput>\n"
        " <Title>Log in</Title>\n"
        " <Prompt>PIN</Prompt>\n"
        f" <URL>{URL}</URL>\n"
        " <InputItem>\n"
        "  <DisplayName>PIN</DisplayName>\n"
        "  <QueryStringParam>pin</QueryStringParam>\n"
        "  <DefaultValue/>\n"
        "  <InputFlags>pn</InputFlags>\n"
        " </InputItem>\n"
        "</SnomIPPhoneInput>\n"
    )
    assert write.render(Text("Logged in", ("101 Anna", "Wait."), seconds=4)).body.decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        "<SnomIPPhoneText>\n"
        " <Title>Logged in</Title>\n"
        " <Text>101 Anna<br/>Wait.</Text>\n"
        ' <fetch mil="4000">snom://mb_exit</fetch>\n'
        "</SnomIPPhoneText>\n"
    )


def test_the_second_vendors_pages() -> None:
    write = installed().screens["yealink"]
    questions = (Question("extension", "Extension"), Question("pin", "PIN", is_secret=True))
    assert write.render(Input("Log in", URL, questions)).body.decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<YealinkIPPhoneInputScreen Beep="no" Timeout="60" LockIn="no">\n'
        " <Title>Log in</Title>\n"
        f" <URL>{URL}</URL>\n"
        ' <InputField type="number" password="no">\n'
        "  <Prompt>Extension</Prompt>\n"
        "  <Parameter>extension</Parameter>\n"
        "  <Default/>\n"
        " </InputField>\n"
        ' <InputField type="number" password="yes">\n'
        "  <Prompt>PIN</Prompt>\n"
        "  <Parameter>pin</Parameter>\n"
        "  <Default/>\n"
        " </InputField>\n"
        "</YealinkIPPhoneInputScreen>\n"
    )
    assert write.render(Text("Logged in", ("101 Anna", "Wait."), seconds=4)).body.decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<YealinkIPPhoneTextScreen Beep="no" Timeout="4" LockIn="no" doneAction="SoftKey:Exit">\n'
        " <Title>Logged in</Title>\n"
        " <Text>101 Anna\nWait.</Text>\n"
        "</YealinkIPPhoneTextScreen>\n"
    )


# ---- a folder with mistakes ---------------------------------------------------------------------------------------


def test_a_folder_may_have_screens_or_none(vendor: Callable[..., Path]) -> None:
    plain = load_profile(vendor("tiny"), settings=CATALOGUE)
    assert plain.screens is None
    with pytest.raises(ValueError, match="no screens"):
        ScreenWriter(plain)
    shown = load_profile(vendor("small", **TEMPLATES), settings=CATALOGUE)
    assert ScreenWriter(shown).render(Menu("a<b", ())).body.endswith(b"<menu>a&lt;b</menu>\n")


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"screens_toml": 'menu = "menu.j2"\ninput = "input.j2"\ntext = "gone.j2"\n'}, "there is no templates/gone.j2"),
        ({"screens_toml": 'menu = "menu.j2"\n'}, "screens.toml"),
        ({"screens_toml": TEMPLATES["screens_toml"] + "colour = 1\n"}, "screens.toml"),
        ({"templates/text.j2": "<t>{{ config.password }}</t>"}, "unknown names: config"),
        ({"templates/text.j2": "<t>{{ screen.title"}, "text.j2"),
    ],
)  # fmt: skip
def test_a_mistake_is_named(vendor: Callable[..., Path], changed: dict[str, str], complaint: str) -> None:
    with pytest.raises(ProfileBroken, match=complaint):
        load_profile(vendor("tiny", **{**TEMPLATES, **changed}), settings=CATALOGUE)


@pytest.mark.parametrize(
    "text", ["<t>{{ screen.title }}", "<t>{{ screen.nothing }}</t>", "<t>" + "x" * 11_000 + "</t>"]
)
def test_the_check_finds_a_page_that_cannot_be_written(vendor: Callable[..., Path], text: str) -> None:
    profile = load_profile(vendor("tiny", **{**TEMPLATES, "templates/text.j2": text}), settings=CATALOGUE)
    found = [item.where for item in check_profile(profile, settings=CATALOGUE) if item.level == "error"]
    assert "screen text" in found


def test_a_page_that_is_too_large_is_refused(vendor: Callable[..., Path]) -> None:
    profile = load_profile(
        vendor("tiny", **{**TEMPLATES, "templates/menu.j2": "<m>" + "x" * 9_990 + "{{ screen.title }}</m>"}),
        settings=CATALOGUE,
    )
    writer = ScreenWriter(replace(profile))
    with pytest.raises(RenderingFailed, match="more than phones read"):
        writer.render(Menu("a title", ()))
