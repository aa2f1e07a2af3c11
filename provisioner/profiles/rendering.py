"""From a phone's neutral configuration to the bytes of its vendor's files."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter
from threading import Lock
from typing import Any, Final

from provisioner.errors import ProfileBroken, RenderingFailed
from provisioner.profiles.expressions import DEVICE_NAMES, GLOBALS, LINE_NAMES, parse
from provisioner.profiles.firmware import FirmwareCondition, parse_version
from provisioner.profiles.manifest import FileRule, Limit, Model, Profile, Row, Unsupported, applies_to
from provisioner.profiles.output import OutputKey, Settings
from provisioner.profiles.plan import KeyPlan, LimitPlan, RowPlan, row_where
from provisioner.profiles.protocols import EmptyKey, EmptyLine, KeyLike, LineLike, PhoneConfigLike
from provisioner.profiles.sandbox import Sandbox
from provisioner.profiles.templates import FileTemplate

FIRMWARES: Final = 1024  # texts whose meaning is remembered; they come from strangers
TEMPLATE_NAMES: Final = frozenset(
    {
        "base", "config", "keys", "line_rows", "lines", "model", "profile", "rows", "server", "settings", "tables",
        "time", "zone",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rendered:
    """A file as it goes to the phone, and what it could not say, in sentences for people."""

    body: bytes = field(repr=False)
    content_type: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is the same for every phone of one model and firmware."""

    model: Model
    device_rows: RowPlan
    line_rows: RowPlan
    key_types: Mapping[str, KeyPlan]
    limits: LimitPlan
    unsupported: tuple[Unsupported, ...]
    unsupported_keys: Mapping[str, str]
    empty_lines: tuple[EmptyLine, ...]
    empty_keys: tuple[EmptyKey, ...]
    cleared: tuple[OutputKey, ...] | None
    """What `empty_keys` look like; None when that differs from phone to phone."""
    places: Mapping[tuple[int, int], int]
    """Where a module's slot is in `empty_keys`."""


class Renderer:
    """Renders one profile's device files. Everything is compiled when it is made; ProfileBroken when that fails."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self._sandbox = Sandbox()
        self._firmware = {text: FirmwareCondition(text) for text in _conditions(profile)}
        self._row_plans: dict[tuple[int, ...], RowPlan] = {}
        self._limit_plans: dict[tuple[int, ...], LimitPlan] = {}
        self._key_plans = [KeyPlan(self._sandbox, kind) for kind in profile.key_types]
        self._templates = {
            file.id: FileTemplate(profile, file, names=TEMPLATE_NAMES)
            for file in profile.files
            if file.role == "device"
        }
        self._plans: dict[tuple[str, tuple[bool, ...]], _Plan] = {}
        self._variant = lru_cache(maxsize=FIRMWARES)(self._conditions_met)
        self._lock = Lock()
        for number, row in enumerate(profile.rows):  # every row must be sound, whichever models take it
            names = LINE_NAMES if row.scope == "line" else DEVICE_NAMES
            for source in (row.value, row.when):
                if source:
                    parse(self._sandbox, source, where=row_where(number, row), names=names)
        LimitPlan(self._sandbox, enumerate(profile.limits))

    def warm(self) -> None:
        """Compiles the plan of every model at its newest firmware, so that no first phone waits for it."""
        for model_id in self.profile.models:
            self.prepare(model_id, "")

    def is_ready(self, model_id: str, firmware: str) -> bool:
        """Whether such a phone's files can be rendered at once. True as well when there is nothing to prepare."""
        known = self._known_model(model_id)
        return not known or (known, self._variant(firmware)) in self._plans

    def prepare(self, model_id: str, firmware: str) -> None:
        """Compiles what such a phone needs: up to some 100 ms of CPU, in any thread. Nothing for an unknown model."""
        if known := self._known_model(model_id):
            self._plan(known, firmware)

    def render(self, file: FileRule, config: PhoneConfigLike) -> Rendered:
        """The file for this phone; RenderingFailed when the profile cannot express it."""
        template = self._templates.get(file.id)
        if template is None:
            raise RenderingFailed(f"{self.profile.id}: {file.id} is not a file of a device")
        plan = self._plan(self.model_id(config), config.firmware)
        names = self._names(plan, config)
        keys, dropped = _place_keys(plan, config.keys)
        if "rows" in template.needs:
            names["rows"] = plan.device_rows.prepare(names)()
        if "line_rows" in template.needs:
            names["line_rows"] = plan.line_rows.prepare(names)
        if "keys" in template.needs:
            names["keys"] = self._keys(plan, names, keys)
        body = template.run(names)
        return Rendered(body, file.content_type, (*self._limits(plan, names, config), *dropped))

    def limits(self, config: PhoneConfigLike) -> tuple[str, ...]:
        """What this phone's vendor cannot express of its configuration, in sentences for people."""
        plan = self._plan(self.model_id(config), config.firmware)
        _, dropped = _place_keys(plan, config.keys)
        return (*self._limits(plan, self._names(plan, config), config), *dropped)

    def model_id(self, config: PhoneConfigLike) -> str:
        """The phone's model, or the profile's default for a model it does not know; RenderingFailed without."""
        if known := self._known_model(config.model):
            return known
        raise RenderingFailed(f"{self.profile.id}: the model is unknown", profile=self.profile.id)

    def _known_model(self, model_id: str) -> str:
        return model_id if model_id in self.profile.models else self.profile.default_model

    def _conditions_met(self, firmware: str) -> tuple[bool, ...]:
        """Which of the profile's firmware conditions hold: all that a plan needs to know of a firmware."""
        version = parse_version(firmware, generation=self.profile.firmware_generation)
        return tuple(condition.holds(version) for condition in self._firmware.values())

    def _plan(self, model_id: str, firmware: str) -> _Plan:
        which = (model_id, self._variant(firmware))
        plan = self._plans.get(which)
        if plan is None:
            with self._lock:
                plan = self._plans.get(which) or self._make_plan(*which)
                self._plans[which] = plan
        return plan

    def _make_plan(self, model_id: str, variant: tuple[bool, ...]) -> _Plan:
        profile, model = self.profile, self.profile.models[model_id]
        holds = dict(zip(self._firmware, variant, strict=True))

        def is_for_model(entry: Any) -> bool:
            return applies_to(model_id, entry.models, entry.not_models)

        def applies(entry: Any) -> bool:
            return is_for_model(entry) and holds[entry.firmware]

        rows = [(number, row) for number, row in enumerate(profile.rows) if applies(row)]
        key_types: dict[str, KeyPlan] = {}
        for kind, plan in zip(profile.key_types, self._key_plans, strict=True):
            if kind.type not in key_types and applies(kind):
                key_types[kind.type] = plan
        empty_keys = tuple(_slots(model))
        none = key_types.get("none")
        cleared = [none.constant(key) for key in empty_keys] if none else []
        return _Plan(
            model=model,
            device_rows=self._rows_plan([item for item in rows if item[1].scope == "device"], False),
            line_rows=self._rows_plan([item for item in rows if item[1].scope == "line"], True),
            key_types=key_types,
            limits=self._limit_plan([item for item in enumerate(profile.limits) if applies(item[1])]),
            unsupported=tuple(entry for entry in profile.unsupported if is_for_model(entry)),
            unsupported_keys={
                entry.type: entry.reason for entry in profile.unsupported_keys if is_for_model(entry)
            },
            empty_lines=tuple(EmptyLine(position) for position in range(1, model.lines + 1)),
            empty_keys=empty_keys,
            cleared=tuple(key for key in cleared if key) if none and all(cleared) else None,
            places={(key.module, key.slot): place for place, key in enumerate(empty_keys)},
        )

    def _rows_plan(self, rows: list[tuple[int, Row]], is_line: bool) -> RowPlan:
        """One plan for all models that take the same rows."""
        which = (int(is_line), *(number for number, _ in rows))
        plan = self._row_plans.get(which)
        if plan is None:
            plan = RowPlan(self._sandbox, rows, names=LINE_NAMES if is_line else DEVICE_NAMES)
            self._row_plans[which] = plan
        return plan

    def _limit_plan(self, limits: list[tuple[int, Limit]]) -> LimitPlan:
        which = tuple(number for number, _ in limits)
        plan = self._limit_plans.get(which)
        if plan is None:
            plan = self._limit_plans[which] = LimitPlan(self._sandbox, limits)
        return plan

    def _names(self, plan: _Plan, config: PhoneConfigLike) -> dict[str, Any]:
        """What expressions and templates see of a phone."""
        settings = Settings({name: composed.value for name, composed in config.settings.items()})
        tables = self.profile.tables
        return {
            **GLOBALS,
            "base": f"{config.server.https_url}{config.path}",
            "config": config,
            "key_types": frozenset([key.type for key in config.keys]),
            "lines": _fill_lines(plan, config.lines),
            "model": plan.model,
            "profile": self.profile,
            "server": config.server,
            "settings": settings,
            "tables": tables,
            "time": config.time,
            "zone": tables.get("zones", {}).get(settings.get("timezone", "")),
        }

    def _keys(
        self, plan: _Plan, names: Mapping[str, Any], placed: Iterable[tuple[int, KeyLike]]
    ) -> list[OutputKey]:
        """Every slot of the phone and its modules in order, then those that only some sources know of."""
        lines = {line.position: line for line in names["lines"]}

        def shown(key: KeyLike) -> OutputKey:
            kind = plan.key_types.get(key.type)
            if kind is None:
                raise RenderingFailed(f'{self.profile.id}: keys.toml has no type "none" to clear a key with')
            return kind(names, key, line=None if key.type == "none" else lines.get(key.line))

        found = list(plan.cleared if plan.cleared is not None else map(shown, plan.empty_keys))
        for place, key in placed:
            if key.type in plan.key_types:
                found[place] = shown(key)
        return found

    def _limits(self, plan: _Plan, names: Mapping[str, Any], config: PhoneConfigLike) -> list[str]:
        found = plan.limits(names)
        for entry in plan.unsupported:
            if config.settings[entry.setting].origin.scope != "default":
                found.append(f"{entry.setting}: {entry.reason}")
        return found


def _fill_lines(plan: _Plan, lines: Iterable[LineLike]) -> tuple[LineLike, ...]:
    """Exactly the model's line slots; a slot that nobody filled is an empty one."""
    given = {line.position: line for line in lines}
    return tuple(given.get(empty.position, empty) for empty in plan.empty_lines)


def _place_keys(plan: _Plan, keys: Iterable[KeyLike]) -> tuple[list[tuple[int, KeyLike]], list[str]]:
    """The keys that have a task with their places, and sentences on those that cannot be shown."""
    model = plan.model
    given: dict[tuple[int, int], KeyLike] = {}
    for key in keys:
        where = (key.module, key.slot)
        if key.type != "none":
            given[where] = key
        else:
            given.pop(where, None)  # the last word on a slot counts
    placed: list[tuple[int, KeyLike]] = []
    missing: list[str] = []
    unknown: list[str] = []
    for where, key in sorted(given.items(), key=itemgetter(0)):
        place = plan.places.get(where)
        if place is None or (key.module == 0 and key.slot > model.keys):
            missing.append(f"{_name(key)}: the {model.label} has no such key")
        if place is None:
            continue
        placed.append((place, key))
        if key.type not in plan.key_types:
            reason = plan.unsupported_keys.get(key.type, "this phone has no such key type")
            unknown.append(f"{_name(key)} ({key.type}): {reason}")
    return placed, missing + unknown


def _name(key: KeyLike) -> str:
    return f"key {key.slot} of module {key.module}" if key.module else f"key {key.slot}"


def _slots(model: Model) -> Iterator[EmptyKey]:
    yield from (EmptyKey(slot) for slot in range(1, model.keys + 1))
    for module in range(1, model.modules + 1):
        yield from (EmptyKey(slot, module) for slot in range(1, model.module_keys + 1))
    yield from (EmptyKey(slot) for slot in range(model.keys + 1, model.keys_accepted + 1))


def _conditions(profile: Profile) -> Iterator[str]:
    """Every firmware condition of a profile; ProfileBroken is raised with its entry when one is not understood."""
    texts = [(f"settings.toml: row {number}", row.firmware) for number, row in enumerate(profile.rows, 1)]
    texts += [
        (f"settings.toml: limit {number}", limit.firmware) for number, limit in enumerate(profile.limits, 1)
    ]
    texts += [(f"keys.toml: type {kind.type}", kind.firmware) for kind in profile.key_types]
    for where, text in texts:
        try:
            FirmwareCondition(text)
        except ProfileBroken as error:
            raise ProfileBroken(f"{where}: {error.detail}") from None
        yield text
