"""Keys of several scopes and automatic sets in the slots of a phone."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.composition.compose import KeyLayer, merge_keys
from provisioner.composition.key_ranges import Colleague, KeyRun, fill_runs, settle
from provisioner.composition.key_types import KEY_KINDS, KEY_TYPES, RANGE_TYPES
from provisioner.composition.phone_config import KeyConfig

SCOPES = ("model", "tenant", "site", "user", "device")
PEOPLE = tuple(
    Colleague(number, f"P{number:02}", f"{200 + number}", "AB"[number % 2]) for number in range(30)
)

_keys = st.lists(
    st.builds(
        KeyConfig,
        slot=st.integers(1, 8),
        module=st.integers(0, 2),
        type=st.sampled_from(["none", "dnd", "hold"]),
    ),
    max_size=8,
    unique_by=lambda key: (key.module, key.slot),
)
_layers = st.lists(_keys, min_size=5, max_size=5).map(
    lambda found: [KeyLayer(scope, keys, f"the {scope}") for scope, keys in zip(SCOPES, found, strict=True)]
)
_runs = st.lists(
    st.builds(
        KeyRun,
        id=st.integers(1, 9),
        scope=st.sampled_from(SCOPES),
        label=st.just("x"),
        type=st.sampled_from(RANGE_TYPES),
        slot=st.integers(1, 8),
        module=st.integers(0, 2),
        count=st.integers(0, 6),
        people=st.just(PEOPLE),
        owner=st.sampled_from([None, 0, 5]),
        department=st.sampled_from([None, "A", ""]),
    ),
    max_size=3,
)


@given(layers=_layers)
def test_every_slot_has_the_strongest_key_and_remembers_the_others(layers: list[KeyLayer]) -> None:
    filled, left_over = merge_keys(layers, keys=4, modules=1, module_keys=3)
    assert [(key.module, key.slot) for key in filled] == [
        (0, 1),
        (0, 2),
        (0, 3),
        (0, 4),
        (1, 1),
        (1, 2),
        (1, 3),
    ]
    given_keys = {(key.module, key.slot): key for layer in layers for key in layer.keys}
    assert {(key.module, key.slot) for key in left_over} == set(given_keys) - {
        (key.module, key.slot) for key in filled
    }
    for key in (*filled, *left_over):
        there = [
            (layer.scope, layer.label, found.type)
            for layer in reversed(layers)
            for found in layer.keys
            if (found.module, found.slot) == (key.module, key.slot)
        ]
        said = [(one.origin, one.origin_label, one.type) for one in (key, *key.shadowed)]
        assert said == (there or [("default", "", "none")])
        assert all(one.shadowed == () for one in key.shadowed)


@given(layers=_layers, runs=_runs, own_keys=st.integers(2, 4))
def test_sets_fill_free_slots_only_in_order_and_nobody_twice(
    layers: list[KeyLayer], runs: list[KeyRun], own_keys: int
) -> None:
    merged, _ = merge_keys(layers, keys=4, modules=1, module_keys=3)
    filled, warnings = fill_runs(merged, runs, own_keys=own_keys)
    assert [(key.module, key.slot) for key in filled] == [(key.module, key.slot) for key in merged]
    made = [key for key in filled if key.range_id is not None]
    for before, after in zip(merged, filled, strict=True):
        if before.origin != "default":
            assert before == after
        elif after.range_id is not None:
            assert after.module > 0 or after.slot <= own_keys
    assert len({(key.type, key.user_id) for key in made}) == len(made)
    assert len(warnings) <= len(runs)
    for run in runs:
        assert all(key.user_id != run.owner for key in made if key.type == run.type) or len(runs) > 1


@pytest.mark.parametrize(("count", "names"), [(0, ["P01", "P02", "P03"]), (2, ["P01", "P02"])])
def test_a_set_leaves_out_the_owner_and_stops_at_its_count(count: int, names: list[str]) -> None:
    run = KeyRun(
        id=1, scope="tenant", label="Acme", type="blf", slot=2, count=count, people=PEOPLE[:4], owner=0
    )
    merged, _ = merge_keys([], keys=6)
    filled, warnings = fill_runs(merged, [run], own_keys=6)
    assert [key.label for key in filled if key.type == "blf"] == names
    assert filled[0].type == "none"
    assert warnings == ()


def test_slots_that_only_some_phones_have_are_left_alone() -> None:
    run = KeyRun(id=1, scope="tenant", label="Acme", type="blf", slot=1, people=PEOPLE)
    merged, _ = merge_keys([], keys=6)
    filled, warnings = fill_runs(merged, [run], own_keys=4)
    assert [key.type for key in filled] == ["blf"] * 4 + ["none"] * 2
    assert warnings == (
        "The automatic keys of the tenant end after 4: there is no room for more colleagues on this phone.",
    )


@pytest.mark.parametrize("kind", KEY_TYPES)
def test_a_key_whose_aim_is_gone_shows_nothing(kind: str) -> None:
    key = KeyConfig(3, module=1, type=kind, label="Bob", is_gone=True)
    settled, sentence = settle(key)
    assert (settled.type, settled.target, settled.label, settled.slot) == (
        "none",
        "",
        "" if kind != "none" else "Bob",
        3,
    )
    assert bool(sentence) == (kind != "none")
    if sentence:
        assert sentence == "Key 3 of module 1 (Bob): what it pointed at is gone."


@pytest.mark.parametrize("kind", KEY_TYPES)
def test_a_key_that_has_what_it_needs_is_left_as_it_is(kind: str) -> None:
    key = KeyConfig(3, type=kind, target="" if not KEY_KINDS[kind].needs_target else "x")
    assert settle(key) == (key, "")
    assert settle(replace(key, target=""))[0].type == ("none" if KEY_KINDS[kind].needs_target else kind)


@given(text=st.text(max_size=60), kind=st.sampled_from(KEY_TYPES))
def test_no_target_has_what_ends_a_value_in_a_phones_file(text: str, kind: str) -> None:
    if text and KEY_KINDS[kind].takes(text):
        assert KEY_KINDS[kind].wanted
        assert not set(text) & set(" |<>\"'\n\r\t")
