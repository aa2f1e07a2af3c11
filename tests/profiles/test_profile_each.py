"""`each`: one template for all function keys, with their texts remembered."""

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from provisioner.errors import RenderingFailed
from provisioner.profiles import each
from provisioner.profiles.catalogue_file import CatalogueEntry, read_catalogue
from provisioner.profiles.loader import Profiles, load_profiles
from provisioner.profiles.samples import SampleKey, SamplePhone, full_line, largest, smallest, with_setting

ROOT = Path(__file__).parents[2]
Catalogue = Mapping[str, CatalogueEntry]
HOSTILE = "\"q\" 'a' <x/>&amp;\x00\x01\x02 @ a\r\nb = 1 \u2028\U0001f600"
MODELS = (
    '[[models]]\nid = "T1"\nlabel = "Tiny 1"\nlines = 2\nkeys = 3\n'
    '[[models]]\nid = "T2"\nlabel = "Tiny 2"\nlines = 2\nkeys = 3\n'
)
KEYS = (
    '[[types]]\ntype = "none"\nvalue = "\'off\'"\nlabel = "\'\'"\n'
    '[[types]]\ntype = "blf"\nvalue = "key.target"\n'
    '[[types]]\ntype = "dnd"\nvalue = "line.account if line else \'\'"\nfields = { where = "\'x\'" }\n'
)

_FAST_ROWS = re.compile(r"\b(rows|line_rows\(line\)) \| (elements|lines)\b")
_EACH = re.compile(r'\{\{ keys \| each\("([^"]+)"((?:, (\w+)=\3)*)\) \}\}\n')


@pytest.fixture
def keyed(vendor: Callable[..., Path], catalogue: Catalogue) -> Callable[..., Profiles]:
    """A vendor whose one file is `{{ keys | each(...) }}` of the given template."""

    def load(key: str, file: str = '{{ keys | each("key.j2") }}', keys: str = KEYS) -> Profiles:
        folder = vendor(models_toml=MODELS, keys_toml=keys)
        (folder / "templates" / "device.cfg.j2").write_text(file, encoding="utf-8")
        (folder / "templates" / "key.j2").write_text(key, encoding="utf-8")
        return load_profiles(folder.parent, settings=catalogue)

    return load


def phone_of(profiles: Profiles, catalogue: Catalogue, *, model: str = "T1") -> SamplePhone:
    profile = profiles.all["tiny"]
    return replace(
        smallest(profile, profile.models[model], catalogue.values()),
        lines=(full_line(1),),
        keys=(SampleKey(slot=2, type="blf", target="202", label="Anna", line=1),),
    )


def text(profiles: Profiles, phone: SamplePhone) -> str:
    profile = profiles.all["tiny"]
    return profiles.render("tiny", profile.file("device"), phone).body.decode()


def test_every_key_is_written_in_its_place(keyed: Callable[..., Profiles], catalogue: Catalogue) -> None:
    profiles = keyed(
        "{{ key.slot }} = {{ key.type }}/{{ key.value }}/{{ key.label }}/{{ key.active_line }}\n"
    )
    phone = phone_of(profiles, catalogue)
    expected = "1 = none/off//0\n2 = blf/202/Anna/1\n3 = none/off//0\n"
    assert [text(profiles, phone) for _ in range(2)] == [expected, expected]
    cleared = replace(phone, keys=(SampleKey(slot=2, label="left over", target="666"),))
    assert text(profiles, cleared).splitlines()[1] == "2 = none/off//0"


def test_a_key_of_a_line_that_is_not_in_use_has_no_active_line(
    keyed: Callable[..., Profiles], catalogue: Catalogue
) -> None:
    profiles = keyed("{{ key.slot }} = {{ key.active_line }}\n")
    keys = tuple(SampleKey(slot=slot, type="blf", line=line) for slot, line in ((1, 1), (2, 2), (3, 9)))
    assert text(profiles, replace(phone_of(profiles, catalogue), keys=keys)) == "1 = 1\n2 = 0\n3 = 0\n"


def test_what_is_remembered_is_never_another_phones(
    keyed: Callable[..., Profiles], catalogue: Catalogue
) -> None:
    profiles = keyed(
        "{{ key.slot }} = {{ settings.poll_interval }} {{ base }} {{ model.id }} {{ config.name }} {{ x }}\n",
        '{{ keys | each("key.j2", x=settings.dnd if config.name == "Zed" else 1) }}',
    )
    first = with_setting(phone_of(profiles, catalogue), "dnd", True)
    others = [
        with_setting(first, "poll_interval", 77),
        replace(first, path="/p/t/other"),
        replace(first, name="Zed"),
        replace(first, model="T2"),
    ]
    before = text(profiles, first)
    alone = [text(profiles, each) for each in others]
    assert len({before, *alone}) == 5
    assert "1 = 77 " in alone[0]
    assert "/p/t/other " in alone[1]
    assert alone[2].endswith("Zed true\n")
    assert " T2 " in alone[3]
    assert before.endswith(" 1\n")
    assert text(profiles, first) == before


def test_true_and_one_are_not_mixed_up(keyed: Callable[..., Profiles], catalogue: Catalogue) -> None:
    profiles = keyed(
        "{{ key.slot }} = {{ x }}\n", '{{ keys | each("key.j2", x=true if settings.dnd else 1) }}'
    )
    phone = phone_of(profiles, catalogue)
    assert text(profiles, with_setting(phone, "dnd", True)).startswith("1 = true\n")
    assert text(profiles, with_setting(phone, "dnd", False)).startswith("1 = 1\n")


def test_keys_that_only_seem_alike_are_written_each_for_itself(
    keyed: Callable[..., Profiles], catalogue: Catalogue
) -> None:
    profiles = keyed(
        "{{ key.slot }} = {{ key.type }} {{ key.value }} {{ key.label }} {{ key.active_line }}\n"
    )
    phone = phone_of(profiles, catalogue)
    key = phone.keys[0]
    others = [
        key,
        replace(key, target="203"),
        replace(key, label="Bob"),
        replace(key, line=0),
        replace(key, type="dnd"),
        replace(key, slot=3),
    ]
    found = [text(profiles, replace(phone, keys=(other,))) for other in others]
    assert len(set(found)) == len(others)
    assert [text(profiles, replace(phone, keys=(other,))) for other in reversed(others)] == found[::-1]


def test_a_key_of_another_model_is_written_for_itself(
    keyed: Callable[..., Profiles], catalogue: Catalogue
) -> None:
    profiles = keyed("{{ key.slot }} = {{ key.label }} {{ model.id }}\n")
    for _ in range(2):
        for model in ("T1", "T2"):
            assert f"2 = Anna {model}\n" in text(profiles, phone_of(profiles, catalogue, model=model))


def test_a_key_that_says_true_is_not_taken_for_one_that_says_1(
    keyed: Callable[..., Profiles], catalogue: Catalogue
) -> None:
    profiles = keyed(
        "{{ key.slot }} = {{ key.value }}\n",
        keys=KEYS.replace('"key.target"', "\"{'a': true, 'b': 1, 'c': [1]}[key.target]\""),
    )
    phone = phone_of(profiles, catalogue)
    for _ in range(2):
        for target, said in (("a", "true"), ("b", "1"), ("c", "1")):
            keys = (replace(phone.keys[0], target=target),)
            assert f"2 = {said}\n" in text(profiles, replace(phone, keys=keys))


def test_a_key_whose_text_falls_apart_spoils_no_other_phones_keys(
    keyed: Callable[..., Profiles], catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    profiles = keyed("{{ key.slot }} = {{ key.label }}\n")
    phone = phone_of(profiles, catalogue)
    keys = tuple(SampleKey(slot=slot, type="blf", label=label) for slot, label in ((1, "Ann"), (2, "Bob")))
    monkeypatch.setattr(each, "_END", "n")  # as if a label could hold what ends a key
    with pytest.raises(RenderingFailed, match="control character"):
        text(profiles, replace(phone, keys=keys))
    monkeypatch.undo()
    assert text(profiles, replace(phone, keys=keys)) == "1 = Ann\n2 = Bob\n3 = \n"


def test_a_macro_that_sees_nothing_of_the_phone_can_write_keys(
    keyed: Callable[..., Profiles], catalogue: Catalogue
) -> None:
    profiles = keyed(
        "{{ key.slot }} = {{ key.value }}\n",
        '{% macro w(all) %}{{ all | each("key.j2") }}{% endmacro %}{{ w(keys) }}\n',
    )
    assert text(profiles, phone_of(profiles, catalogue)) == "1 = off\n2 = 202\n3 = off\n"


def test_no_more_texts_are_remembered_than_there_is_room_for(
    keyed: Callable[..., Profiles], catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(each, "TEXTS", 2)
    profiles = keyed("{{ key.slot }} = {{ key.label }}\n")
    phone = phone_of(profiles, catalogue)
    for number in [*range(9), 0]:
        keys = tuple(SampleKey(slot=slot, type="blf", label=f"{number}-{slot}") for slot in (1, 2, 3))
        assert (
            text(profiles, replace(phone, keys=keys)) == f"1 = {number}-1\n2 = {number}-2\n3 = {number}-3\n"
        )


def test_facts_that_cannot_be_compared_are_written_anew(
    keyed: Callable[..., Profiles], catalogue: Catalogue
) -> None:
    profiles = keyed("{{ key.slot }} = {{ settings.codecs }}\n")
    phone = phone_of(profiles, catalogue)
    for codecs in (["opus"], ["pcmu", "g722"]):
        found = text(profiles, with_setting(phone, "codecs", codecs))
        assert found.startswith(f"1 = {','.join(codecs)}\n")


def test_many_circumstances_are_all_told_apart(keyed: Callable[..., Profiles], catalogue: Catalogue) -> None:
    profiles = keyed("{{ key.slot }} = {{ settings.poll_interval }}\n")
    phone = phone_of(profiles, catalogue)
    for number in [*range(40), 0]:
        assert text(profiles, with_setting(phone, "poll_interval", number)).startswith(f"1 = {number}\n")


def test_no_text_ends_a_key_early(keyed: Callable[..., Profiles], catalogue: Catalogue) -> None:
    profiles = keyed("{{ key.slot }} = {{ key.label }}\n")
    keys = tuple(SampleKey(slot=slot, type="blf", label=f"{slot}\x00\x01{slot}") for slot in (1, 2, 3))
    assert text(profiles, replace(phone_of(profiles, catalogue), keys=keys)) == "1 = 1 1\n2 = 2 2\n3 = 3 3\n"


@pytest.mark.parametrize(
    "key",
    [
        "{{ key.line.account }}",
        "{{ key.key.target }}",
        "{{ key }}",
        "{{ loop.index }}",
        "{{ lines }}",
        "{{ rows | lines }}",
        "{{ config }}",
        "{{ settings['dnd'] }}",
        "{{ nobody.knows }}",
        '{% include "device.cfg.j2" %}',
        "{% if key.slot > 1 %}{% set settings = 1 %}{% endif %}{{ settings.dnd }}{{ unknown }}",
        "a\x00b",
        "{% if %}",
    ],
)
def test_a_template_that_reads_more_than_plain_facts_is_refused(
    keyed: Callable[..., Profiles], key: str
) -> None:
    assert "templates/" in keyed(key).broken["tiny"]


@pytest.mark.parametrize(
    "file",
    [
        '{{ keys | each("nowhere.j2") }}',
        "{{ keys | each(config.name) }}",
        "{{ keys | each }}",
        '{{ keys | each("key.j2", **settings) }}',
        '{{ keys | each("key.j2", 5) }}',
    ],
)
def test_each_takes_a_template_by_its_name(keyed: Callable[..., Profiles], file: str) -> None:
    assert "`each` takes" in keyed("{{ key.slot }} = 1\n", file).broken["tiny"]


def test_a_fault_names_the_keys_template_and_its_line(
    keyed: Callable[..., Profiles], catalogue: Catalogue
) -> None:
    profiles = keyed("{{ key.slot }} = 1\n\n{{ key.fields.where }} = 2\n")
    with pytest.raises(RenderingFailed, match=r"templates/key.j2 line 3: .*where"):
        text(profiles, phone_of(profiles, catalogue))


def test_keys_without_end_are_cut_off(keyed: Callable[..., Profiles], catalogue: Catalogue) -> None:
    profiles = keyed("{% for i in range(99999) %}\nkey{{ i }} = {{ key.label }}\n{% endfor %}\n")
    with pytest.raises(RenderingFailed, match="larger than 512 KiB"):
        text(profiles, phone_of(profiles, catalogue))


@cache
def installed() -> tuple[Catalogue, Profiles]:
    settings = read_catalogue(ROOT / "provisioner" / "composition" / "catalogue.toml")
    return settings, load_profiles(ROOT / "vendor_profiles", settings=settings)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Profiles:
    """The installed vendors with plain loops in place of `each`, `elements` and `lines` over rows one by one."""
    folder = tmp_path_factory.mktemp("plain") / "vendors"
    shutil.copytree(ROOT / "vendor_profiles", folder)
    for path in folder.glob("*/templates/*.j2"):
        before = path.read_text(encoding="utf-8")
        after = _FAST_ROWS.sub(r"\1 | list | \2", before)
        path.write_text(_EACH.sub(looped(path.parent), after), encoding="utf-8")
        assert "| each(" not in path.read_text(encoding="utf-8")
    profiles = load_profiles(folder, settings=installed()[0])
    assert not profiles.broken
    return profiles


def looped(folder: Path) -> Callable[[re.Match[str]], str]:
    def loop(found: re.Match[str]) -> str:
        return "{% for key in keys %}\n" + (folder / found[1]).read_text(encoding="utf-8") + "{% endfor %}\n"

    return loop


def samples(profile_id: str, model_id: str) -> Iterator[SamplePhone]:
    settings, profiles = installed()
    profile = profiles.all[profile_id]
    model = profile.models[model_id]
    full = largest(profile, model, settings.values())
    yield smallest(profile, model, settings.values())
    yield full
    yield replace(
        full,
        name=HOSTILE,
        lines=[replace(line, label=HOSTILE, password=HOSTILE) for line in full.lines[::2]],
        keys=[replace(key, label=HOSTILE, target=HOSTILE) for key in full.keys[::3]],
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "model_id" in metafunc.fixturenames:
        pairs = [(name, model) for name, profile in installed()[1].all.items() for model in profile.models]
        metafunc.parametrize(("profile_id", "model_id"), pairs, ids=[f"{a}-{b}" for a, b in pairs])


def test_the_quick_ways_of_writing_write_what_a_plain_loop_writes(
    plain: Profiles, profile_id: str, model_id: str
) -> None:
    quick = installed()[1]
    for phone in samples(profile_id, model_id):
        for file in quick.all[profile_id].files:
            if file.role == "device":
                expected = plain.render(profile_id, plain.all[profile_id].file(file.id), phone)
                assert quick.render(profile_id, file, phone) == expected
