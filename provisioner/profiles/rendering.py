"""From a phone's neutral configuration to the bytes of its vendor's files."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from provisioner.errors import ProfileBroken, RenderingFailed
from provisioner.profiles.expressions import DEVICE_NAMES, GLOBALS, LINE_NAMES, parse
from provisioner.profiles.firmware import FirmwareCondition, parse_version
from provisioner.profiles.manifest import FileRule, Model, Profile, Row, Unsupported, applies_to
from provisioner.profiles.plan import KeyPlan, LimitPlan, RowPlan, row_where
from provisioner.profiles.protocols import EmptyKey, EmptyLine, KeyLike, LineLike, PhoneConfigLike
from provisioner.profiles.sandbox import OutputKey, Sandbox, Settings
from provisioner.profiles.templates import FileTemplate

PLANS: Final = 256  # (model, firmware) pairs kept; firmware texts come from strangers
TEMPLATE_NAMES: Final = frozenset(
    {
        "base", "config", "keys", "line_rows", "lines", "model", "profile", "rows", "server", "settings", "tables",
        "time", "zone",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rendered:
    """A file as it goes to the phone, and what it could not say, in sentences for people."""

    body: bytes
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
    key_slots: tuple[EmptyKey, ...]


class Renderer:
    """Renders one profile's device files. Everything is compiled when it is made; ProfileBroken when that fails."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self._sandbox = Sandbox()
        self._firmware = {text: FirmwareCondition(text) for text in _conditions(profile)}
        self._row_plans: dict[tuple[int, ...], RowPlan] = {}
        self._key_plans = [KeyPlan(self._sandbox, kind) for kind in profile.key_types]
        self._templates = {
            file.id: FileTemplate(profile, file, names=TEMPLATE_NAMES)
            for file in profile.files
            if file.role == "device"
        }
        self._plan = lru_cache(maxsize=PLANS)(self._make_plan)
        for number, row in enumerate(profile.rows):  # every row must be sound, whichever models take it
            names = LINE_NAMES if row.scope == "line" else DEVICE_NAMES
            for source in (row.value, row.when):
                if source:
                    parse(self._sandbox, source, where=row_where(number, row), names=names)
        LimitPlan(self._sandbox, enumerate(profile.limits))

    def warm(self) -> None:
        """Compiles the plan of every model at its newest firmware, so that no first phone waits for it."""
        for model_id in self.profile.models:
            self._plan(model_id, "")

    def render(self, file: FileRule, config: PhoneConfigLike) -> Rendered:
        """The file for this phone; RenderingFailed when the profile cannot express it."""
        template = self._templates.get(file.id)
        if template is None:
            raise RenderingFailed(f"{self.profile.id}: {file.id} is not a file of a device")
        plan = self._plan(self.model_id(config), config.firmware)
        names = self._names(plan, config)
        keys, dropped = _fill_keys(plan, config.keys)
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
        _, dropped = _fill_keys(plan, config.keys)
        return (*self._limits(plan, self._names(plan, config), config), *dropped)

    def model_id(self, config: PhoneConfigLike) -> str:
        """The phone's model, or the profile's default for a model it does not know; RenderingFailed without."""
        if config.model in self.profile.models:
            return config.model
        if self.profile.default_model:
            return self.profile.default_model
        raise RenderingFailed(f"{self.profile.id}: the model is unknown", profile=self.profile.id)

    def _make_plan(self, model_id: str, firmware: str) -> _Plan:
        profile, model = self.profile, self.profile.models[model_id]
        version = parse_version(firmware, generation=profile.firmware_generation)

        def is_for_model(entry: Any) -> bool:
            return applies_to(model_id, entry.models, entry.not_models)

        def applies(entry: Any) -> bool:
            return is_for_model(entry) and self._firmware[entry.firmware].holds(version)

        rows = [(number, row) for number, row in enumerate(profile.rows) if applies(row)]
        key_types: dict[str, KeyPlan] = {}
        for kind, plan in zip(profile.key_types, self._key_plans, strict=True):
            if kind.type not in key_types and applies(kind):
                key_types[kind.type] = plan
        return _Plan(
            model=model,
            device_rows=self._rows_plan([item for item in rows if item[1].scope == "device"], False),
            line_rows=self._rows_plan([item for item in rows if item[1].scope == "line"], True),
            key_types=key_types,
            limits=LimitPlan(self._sandbox, [item for item in enumerate(profile.limits) if applies(item[1])]),
            unsupported=tuple(entry for entry in profile.unsupported if is_for_model(entry)),
            unsupported_keys={
                entry.type: entry.reason for entry in profile.unsupported_keys if is_for_model(entry)
            },
            empty_lines=tuple(EmptyLine(position) for position in range(1, model.lines + 1)),
            key_slots=tuple(_slots(model)),
        )

    def _rows_plan(self, rows: list[tuple[int, Row]], is_line: bool) -> RowPlan:
        """One plan for all models that take the same rows."""
        which = (int(is_line), *(number for number, _ in rows))
        plan = self._row_plans.get(which)
        if plan is None:
            plan = RowPlan(self._sandbox, rows, names=LINE_NAMES if is_line else DEVICE_NAMES)
            self._row_plans[which] = plan
        return plan

    def _names(self, plan: _Plan, config: PhoneConfigLike) -> dict[str, Any]:
        """What expressions and templates see of a phone."""
        settings = Settings({name: composed.value for name, composed in config.settings.items()})
        tables = self.profile.tables
        return {
            **GLOBALS,
            "base": f"{config.server.https_url}{config.path}",
            "config": config,
            "lines": _fill_lines(plan, config.lines),
            "model": plan.model,
            "profile": self.profile,
            "server": config.server,
            "settings": settings,
            "tables": tables,
            "time": config.time,
            "zone": tables.get("zones", {}).get(settings.get("timezone", "")),
        }

    def _keys(self, plan: _Plan, names: Mapping[str, Any], keys: Iterable[KeyLike]) -> list[OutputKey]:
        lines = {line.position: line for line in names["lines"]}
        found = []
        for key in keys:
            shown = key if key.type in plan.key_types else EmptyKey(key.slot, key.module)
            kind = plan.key_types.get(shown.type)
            if kind is None:
                raise RenderingFailed(f'{self.profile.id}: keys.toml has no type "none" to clear a key with')
            found.append(kind(names, shown, line=lines.get(shown.line)))
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


def _fill_keys(plan: _Plan, keys: Iterable[KeyLike]) -> tuple[list[KeyLike], list[str]]:
    """Every key slot of the model and its modules, and sentences on the keys that cannot be shown."""
    model, warnings = plan.model, []
    given = {(key.module, key.slot): key for key in keys}
    slots: list[KeyLike] = [given.pop((empty.module, empty.slot), empty) for empty in plan.key_slots]
    for key in sorted(given.values(), key=lambda key: (key.module, key.slot)):
        if key.module == 0 and model.keys < key.slot <= model.keys_accepted:
            slots.append(key)
        if key.type != "none":
            warnings.append(f"{_name(key)}: the {model.label} has no such key")
    for key in slots:
        if key.type not in plan.key_types and key.type != "none":
            reason = plan.unsupported_keys.get(key.type, "this phone has no such key type")
            warnings.append(f"{_name(key)} ({key.type}): {reason}")
    return slots, warnings


def _name(key: KeyLike) -> str:
    return f"key {key.slot} of module {key.module}" if key.module else f"key {key.slot}"


def _slots(model: Model) -> Iterator[EmptyKey]:
    yield from (EmptyKey(slot) for slot in range(1, model.keys + 1))
    for module in range(1, model.modules + 1):
        yield from (EmptyKey(slot, module) for slot in range(1, model.module_keys + 1))


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
