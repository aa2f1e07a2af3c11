from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from provisioner.errors import RenderingFailed
from provisioner.profiles.catalogue_file import CatalogueEntry
from provisioner.profiles.loader import Profiles, load_profiles
from provisioner.profiles.rendering import Rendered
from provisioner.profiles.samples import (
    CANARY,
    SampleKey,
    SamplePhone,
    full_line,
    largest,
    public_facts,
    sample_settings,
    smallest,
    with_setting,
)
from provisioner.profiles.writers import WRITERS

Catalogue = Mapping[str, CatalogueEntry]
VENDORS = Path(__file__).parent / "vendors"


FINISHED = "{% set v = config.name %}{% set x %}n%s{% endset %}"
"""A value, and a piece that passes the writer unchanged."""
XML_PROFILE = (
    'id = "tiny"\nlabel = "T"\nprovisioning_url = "{base}"\n'
    '[[files]]\nid = "device"\nrole = "device"\npath = "^{mac}$"\ntemplate = "device.cfg.j2"\nformat = "xml"\n'
)


def of_a_phone_named(name: str, folder: Path, catalogue: Catalogue) -> bytes:
    """The device file of the vendor in this folder."""
    profiles = load_profiles(folder.parent, settings=catalogue)
    profile = profiles.all["tiny"]
    phone = replace(smallest(profile, profile.models["T1"], catalogue.values()), name=name)
    return profiles.render("tiny", profile.file("device"), phone).body


@pytest.fixture
def phone(acme: Profiles, catalogue: Catalogue) -> SamplePhone:
    profile = acme.all["acme"]
    return replace(
        smallest(profile, profile.models["A2"], catalogue.values()),
        name="Desk",
        lines=(replace(full_line(2), display_name="Dave"),),
        keys=(SampleKey(slot=2, type="blf", target="202", label="Anna", line=2, pickup_code="*8"),),
    )


def render(acme: Profiles, file: str, phone: SamplePhone) -> Rendered:
    return acme.render("acme", acme.all["acme"].file(file), phone)


def values(acme: Profiles, file: str, phone: SamplePhone) -> dict[str, str]:
    rule = acme.all["acme"].file(file)
    return dict(WRITERS[rule.format].parse(render(acme, file, phone).body))


def rows(acme: Profiles, phone: SamplePhone) -> dict[str, str]:
    return {name.removeprefix("settings/"): value for name, value in values(acme, "device", phone).items()}


def test_rows_carry_mapped_computed_and_constant_values(acme: Profiles, phone: SamplePhone) -> None:
    phone = with_setting(phone, "language", "nl")
    found = rows(acme, with_setting(phone, "emergency_numbers", ["112", "911"]))
    assert found["first"] == "on"
    assert (found["language"], found["language/@perm"]) == ("Nederlands", "R")
    assert (found["dnd"], found["dnd_copy"]) == ("off", "off")
    assert [found[f"emergency{n}"] for n in (1, 2, 3)] == ["112", "911", ""]
    assert found["utc"] == "01:00"


def test_a_list_is_mapped_item_by_item_without_what_the_vendor_lacks(
    acme: Profiles, phone: SamplePhone
) -> None:
    assert rows(acme, with_setting(phone, "codecs", ["opus", "pcmu", "g722"]))["codecs"] == "PCMU,G722/16000"


def test_firmware_and_model_choose_rows(acme: Profiles, phone: SamplePhone) -> None:
    new, old = rows(acme, phone), rows(acme, replace(phone, firmware="2.0.9"))
    assert ("timer_new" in new, "timer_old" in new) == (True, False)
    assert ("timer_new" in old, "timer_old" in old) == (False, True)
    assert "modules" in new
    assert "modules" not in rows(acme, replace(phone, model="A1", keys=()))


def test_a_row_whose_condition_is_false_is_left_out(acme: Profiles, phone: SamplePhone) -> None:
    assert "web" not in rows(acme, with_setting(phone, "web_interface", "off"))
    assert rows(acme, with_setting(phone, "web_interface", "https"))["web"] == "1"


def test_every_line_slot_is_written_and_an_unused_one_is_off_and_blank(
    acme: Profiles, phone: SamplePhone
) -> None:
    found = values(acme, "lines", phone)
    assert [found[f"[lines]line{n}.on"] for n in (1, 2, 3)] == ["0", "1", "0"]
    assert [found[f"[lines]line{n}.user"] for n in (1, 2, 3)] == ["", "acct02x", ""]
    assert found["[lines]line2.server"] == "reg2.example.net:5061;tls"
    assert "[lines]line4.on" not in found


def test_lines_that_differ_in_one_field_only_are_not_mixed_up(acme: Profiles, phone: SamplePhone) -> None:
    first = full_line(1)
    twins = (first, replace(first, position=2, password="other"), replace(first, position=3, is_active=False))
    found = values(acme, "lines", replace(phone, lines=twins))
    assert [found[f"[lines]line{n}.password"] for n in (1, 2, 3)] == [f"{CANARY}-line01", "other", ""]


def test_every_key_slot_of_phone_and_modules_is_written(acme: Profiles, phone: SamplePhone) -> None:
    body = render(acme, "device", phone).body.decode()
    places = [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (2, 1), (2, 2)]
    for module, slot in places:
        assert body.count(f'<key module="{module}" slot="{slot}"') == 1
    assert '<key module="0" slot="2" number="16" label="Anna">blf 202|*8</key>' in body
    assert body.count('number="0" label="">off</key>') == 6


def test_keys_beyond_the_phone_are_told_and_accepted_ones_written(acme: Profiles, phone: SamplePhone) -> None:
    keys = tuple(SampleKey(slot=slot, type="speed_dial", target=f"30{slot}") for slot in (4, 6, 7))
    rendered = render(acme, "device", replace(phone, model="A1", keys=keys))
    assert b">306<" in rendered.body
    assert b">307<" not in rendered.body
    assert [text for text in rendered.warnings if "no such key" in text] == [
        "key 6: the Acme A1 has no such key",
        "key 7: the Acme A1 has no such key",
    ]


def test_a_key_type_the_vendor_lacks_clears_the_slot_and_says_why(acme: Profiles, phone: SamplePhone) -> None:
    keys = (SampleKey(slot=1, type="record", label="Rec"), SampleKey(slot=2, type="xml", label="X"))
    rendered = render(acme, "device", replace(phone, keys=keys))
    assert b"Rec" not in rendered.body
    assert "key 1 (record): The Acme cannot record." in rendered.warnings
    assert any(text.startswith("key 2 (xml)") for text in rendered.warnings)


def test_limits_speak_of_values_that_cannot_be_expressed(acme: Profiles, phone: SamplePhone) -> None:
    limits = acme.renderers["acme"].limits
    polish = "The Acme has no Polish; it shows English."
    assert polish in limits(with_setting(phone, "language", "pl"))
    assert polish not in limits(with_setting(phone, "language", "de"))
    assert "The Acme asks once an hour at most." in limits(with_setting(phone, "poll_interval", 30))
    assert "The Acme asks once an hour at most." not in limits(with_setting(phone, "poll_interval", 60))


def test_an_unsupported_setting_is_told_only_where_somebody_chose_it(
    acme: Profiles, phone: SamplePhone
) -> None:
    limits = acme.renderers["acme"].limits
    assert not any("vlan_priority" in text for text in limits(phone))
    assert "vlan_priority: The phone takes it from LLDP only." in limits(
        with_setting(phone, "vlan_priority", 3)
    )
    assert not any("ring_silent" in text for text in limits(with_setting(phone, "ring_silent", True)))


def test_a_public_file_holds_addresses_and_nothing_of_a_device(acme: Profiles) -> None:
    profile = acme.all["acme"]
    rendered = acme.render_bootstrap(
        "acme", profile.file("start"), public_facts(profile, mac="0A1B2C000001", model="A1")
    )
    assert rendered.body.decode().splitlines() == [
        "#!acme:1",
        "server = https://prov.example.net:8443/p/acme0a1b2c000001.xml",
        "ca = http://prov.example.net:8080/ca.pem",
        "model = Acme A1",
    ]


def test_neither_path_renders_the_other_kind_of_file(acme: Profiles, phone: SamplePhone) -> None:
    profile = acme.all["acme"]
    with pytest.raises(RenderingFailed):
        acme.render("acme", profile.file("start"), phone)
    with pytest.raises(RenderingFailed):
        acme.render_bootstrap("acme", profile.file("device"), public_facts(profile))


def test_an_unknown_model_needs_a_default(acme: Profiles, phone: SamplePhone) -> None:
    with pytest.raises(RenderingFailed, match="model is unknown"):
        render(acme, "device", replace(phone, model="Z"))


def test_the_same_phone_gets_the_same_bytes_from_another_process_of_loading(
    acme: Profiles, catalogue: Catalogue, phone: SamplePhone
) -> None:
    other = load_profiles(acme.all["acme"].folder.parent, settings=catalogue)
    for file in ("device", "lines", "notes"):
        assert render(acme, file, phone).body == render(other, file, phone).body


def test_a_fault_names_the_entry_and_never_a_value(vendor: Callable[..., Path], catalogue: Catalogue) -> None:
    folder = vendor(
        settings_toml='[[rows]]\nkey = "a"\nconstant = "1"\n[[rows]]\nkey = "bad"\nsetting = "directory_name"\n'
        'value = "value / 2"\n'
    )
    profiles = load_profiles(folder.parent, settings=catalogue)
    profile = profiles.all["tiny"]
    phone = largest(profile, profile.models["T1"], catalogue.values())
    with pytest.raises(RenderingFailed) as failure:
        profiles.render("tiny", profile.file("device"), phone)
    assert "settings.toml: row 2 (bad): TypeError" in failure.value.detail
    assert "Zo" not in failure.value.detail


def test_an_unknown_fact_names_the_template_and_the_line(
    vendor: Callable[..., Path], catalogue: Catalogue
) -> None:
    folder = vendor()
    (folder / "templates" / "device.cfg.j2").write_text(
        "a = 1\n\nx = {{ config.missing }}\n", encoding="utf-8"
    )
    profiles = load_profiles(folder.parent, settings=catalogue)
    profile = profiles.all["tiny"]
    with pytest.raises(RenderingFailed, match=r"templates/device.cfg.j2 line 3: .*missing"):
        profiles.render(
            "tiny", profile.file("device"), smallest(profile, profile.models["T1"], catalogue.values())
        )


def test_a_file_without_end_is_cut_off(vendor: Callable[..., Path], catalogue: Catalogue) -> None:
    folder = vendor()
    (folder / "templates" / "device.cfg.j2").write_text(
        "{% for i in range(99999) %}\nkey{{ i }} = {{ config.name }}\n{% endfor %}\n", encoding="utf-8"
    )
    profiles = load_profiles(folder.parent, settings=catalogue)
    profile = profiles.all["tiny"]
    with pytest.raises(RenderingFailed, match="larger than 512 KiB"):
        profiles.render(
            "tiny", profile.file("device"), smallest(profile, profile.models["T1"], catalogue.values())
        )


@pytest.mark.parametrize(
    "expression",
    [
        "config.__class__.__mro__",
        "''.__class__",
        "config.settings.clear()",
        "settings.update({'a': 1})",
        "tables.append(1)",
        "'%s' | attr('__class__')",
    ],
)
def test_the_sandbox_holds(vendor: Callable[..., Path], catalogue: Catalogue, expression: str) -> None:
    folder = vendor(settings_toml=f'[[rows]]\nkey = "a"\nvalue = """{expression}"""\n')
    profiles = load_profiles(folder.parent, settings=catalogue)
    if "tiny" in profiles.broken:
        return  # refused even earlier
    profile = profiles.all["tiny"]
    with pytest.raises(RenderingFailed):
        profiles.render(
            "tiny", profile.file("device"), smallest(profile, profile.models["T1"], catalogue.values())
        )


@pytest.mark.parametrize(
    "trick", ["{{ config.name | safe }}", "{{ config.name | tojson }}", "{{ config.name | e }}"]
)
def test_a_template_cannot_print_past_the_writer(
    vendor: Callable[..., Path], catalogue: Catalogue, trick: str
) -> None:
    folder = vendor()
    (folder / "templates" / "device.cfg.j2").write_text(f"a = {trick}\n", encoding="utf-8")
    assert "tiny" in load_profiles(folder.parent, settings=catalogue).broken


@pytest.mark.parametrize(
    "form", ["{% autoescape false %}{{ config.name }}{% endautoescape %}", '{{ "a\\nb = 1" }}']
)
def test_switching_escaping_off_has_no_effect(
    vendor: Callable[..., Path], catalogue: Catalogue, form: str
) -> None:
    folder = vendor()
    (folder / "templates" / "device.cfg.j2").write_text(f"x = {form}\n", encoding="utf-8")
    profiles = load_profiles(folder.parent, settings=catalogue)
    profile = profiles.all["tiny"]
    phone = replace(smallest(profile, profile.models["T1"], catalogue.values()), name="a\nb = 1")
    body = profiles.render("tiny", profile.file("device"), phone).body
    assert body == b"x = a b = 1\n"


def test_a_row_with_an_attribute_is_written_once_for_each_of_its_prefixes(
    vendor: Callable[..., Path], catalogue: Catalogue
) -> None:
    folder = vendor(
        settings_toml='[[rows]]\nkey = "a"\nvalue = "config.name"\nattributes = { fixed = true }\n'
        '[[rows]]\nkey = "b"\nconstant = "2"\n[[rows]]\nkey = "c"\nconstant = "3"\nattributes = { fixed = false }\n'
    )
    (folder / "templates" / "device.cfg.j2").write_text(
        '{{ rows | lines(fixed=["x.", "\\r", ""]) }}\n{{ rows | lines("=", fixed=[]) }}', encoding="utf-8"
    )
    profiles = load_profiles(folder.parent, settings=catalogue)
    profile = profiles.all["tiny"]
    phone = replace(smallest(profile, profile.models["T1"], catalogue.values()), name="n\x01\x02\nm")
    body = profiles.render("tiny", profile.file("device"), phone).body
    assert body == b"x.a = n m\n a = n m\na = n m\nb = 2\nc = 3\nb=2\nc=3\n"


@pytest.mark.parametrize(
    "template",
    [
        "<a b='{{ v }}'/>",
        '<a b="{{ v }}"/>',
        "<a b={# c #}'{{ v }}'/>",
        "<a b={% if true %}'{{ v }}'{% endif %}/>",
        "<a b={% raw %}'{% endraw %}{{ v }}'/>",
        "<a b={{ v }}/>",
        "<a {{ v }}/>",
        "<a>{{ v }}</a>",
        "<a><!-- {{ v }} --></a>",
        '{{ v | element("a", b=v) }}',
        '{{ v | element("a", b="c" ~ v) }}',
        "<a b='{{ x ~ v }}'/>",
        "<a b='{{ x + v }}'/>",
        "<a b='{{ x % v }}'/>",
        "<a b='{{ x | format(v) }}'/>",
        "<a b='{{ x | replace(\"n\", v) }}'/>",
        "<a b='{{ [x, v] | join }}'/>",
        "<a b='{{ (x, v) | join(x) }}'/>",
        "<a b='{{ x.join([v, v]) }}'/>",
        "{% macro m(w) %}{{ w }}{% endmacro %}<a b='{{ m(v) ~ v }}'/>",
    ],
)
@pytest.mark.parametrize(
    "value", ["x' c='1", 'x" c="1', "c='1'", 'c="1"', "</a><c/>", "--><c/><!--", "\n'\t\""]
)
def test_no_place_of_a_template_lets_a_value_out(
    vendor: Callable[..., Path], catalogue: Catalogue, template: str, value: str
) -> None:
    """Either the value stays inside, or the phone gets nothing and the fault is told."""
    folder = vendor(profile_toml=XML_PROFILE)
    (folder / "templates" / "device.cfg.j2").write_text(f"{FINISHED}{template}", encoding="utf-8")
    try:
        body = of_a_phone_named(value, folder, catalogue)
    except RenderingFailed:
        return
    assert {name for name, _ in WRITERS["xml"].parse(body)} <= {"a", "a/@b"}


@pytest.mark.parametrize(
    "made",
    [
        "x ~ v", "x + v", "x % v", "x | format(v)", "x | replace('%s', v)", "[x, v] | join", "x.join([v, v])",
        "x.replace('%s', v)",
    ],
)  # fmt: skip
def test_what_is_made_of_a_finished_piece_and_a_value_is_written_as_a_value(
    vendor: Callable[..., Path], catalogue: Catalogue, made: str
) -> None:
    folder = vendor()
    template = f"{FINISHED}a = {{{{ {made} }}}}\n"
    (folder / "templates" / "device.cfg.j2").write_text(template, encoding="utf-8")
    assert of_a_phone_named("1\nevil = 2", folder, catalogue).count(b"\n") == 1


@pytest.mark.parametrize("file", ["device", "lines"])
def test_no_value_can_pose_as_a_line_number(acme: Profiles, phone: SamplePhone, file: str) -> None:
    hostile = with_setting(phone, "directory_name", "a\x00\x01\x02b")
    hostile = replace(hostile, name="a\x01b", lines=(replace(full_line(2), password="a\x01b"),))
    assert "a2b" not in render(acme, file, hostile).body.decode()


@pytest.mark.parametrize(
    "trick",
    [
        "{{ rows.text('a', flag) }}",
        "{{ rows['text'] }}",
        "{{ rows._block }}",
        "{{ rows[0].text(flag) }}",
        "{{ rows[0]._place }}",
        "{{ rows[0]['text'] }}",
        "{{ (rows | list)[0].__class__ }}",
        "{{ (rows | map(attribute='_place') | list)[0] }}",
        "{{ keys[0].fields.clear() }}",
        "{{ keys[0].__init__ }}",
    ],
)
def test_of_rows_and_keys_a_template_sees_facts_only(
    vendor: Callable[..., Path], catalogue: Catalogue, trick: str
) -> None:
    folder = vendor(
        models_toml='[[models]]\nid = "T1"\nlabel = "T1"\nlines = 1\nkeys = 1\n',
        keys_toml='[[types]]\ntype = "none"\n',
    )
    (folder / "templates" / "device.cfg.j2").write_text(f"a = {trick}\n", encoding="utf-8")
    profiles = load_profiles(folder.parent, settings=catalogue)
    profile = profiles.all["tiny"]
    phone = smallest(profile, profile.models["T1"], catalogue.values())
    with pytest.raises(RenderingFailed, match=r"SecurityError|has no attribute"):
        profiles.render("tiny", profile.file("device"), phone)


def test_what_a_model_needs_is_prepared_in_another_thread(catalogue: Catalogue) -> None:
    renderer = load_profiles(VENDORS, settings=catalogue).renderers["acme"]
    assert not renderer.is_ready("A2", "2.0.9")
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(renderer.prepare, "A2", "2.0.9") for _ in range(4)]:
            done.result()
    assert renderer.is_ready("A2", "2.0.9")
    assert not renderer.is_ready("A1", "2.0.9")
    assert not renderer.is_ready("A2", "")


def test_firmware_that_changes_nothing_needs_no_preparation(catalogue: Catalogue) -> None:
    renderer = load_profiles(VENDORS, settings=catalogue).renderers["acme"]
    renderer.warm()
    assert all(renderer.is_ready("A2", f"99.{number}") for number in range(50))
    assert not renderer.is_ready("A2", "0.1")


def test_there_is_nothing_to_prepare_for_a_model_nobody_knows(catalogue: Catalogue) -> None:
    renderer = load_profiles(VENDORS, settings=catalogue).renderers["acme"]
    renderer.prepare("Z", "")
    assert renderer.is_ready("Z", "")


def test_the_samples_cover_every_setting(catalogue: Catalogue) -> None:
    assert set(sample_settings(catalogue.values(), "max")) == set(catalogue)
