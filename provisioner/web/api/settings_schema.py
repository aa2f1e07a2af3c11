"""The JSON Schema of settings, made from the catalogue: the same source that checks them."""

from collections.abc import Mapping
from typing import Any

from provisioner.composition.catalogue import Catalogue, Setting

_TYPES: Mapping[str, dict[str, Any]] = {
    "bool": {"type": "boolean"},
    "int": {"type": "integer"},
    "choice": {"type": "string"},
    "text": {"type": "string", "maxLength": 200},
    "secret": {"type": "string", "maxLength": 200, "format": "password"},
    "host": {"type": "string", "maxLength": 253},
    "url": {"type": "string", "maxLength": 200},
    "number": {"type": "string", "pattern": "^[0-9*#+ ]*$"},
    "timezone": {"type": "string", "examples": ["Europe/Amsterdam"]},
    "email": {"type": "string", "maxLength": 200, "examples": ["anna@example.com"]},
    "schedule": {"type": "string", "maxLength": 80, "examples": ["Office hours"]},
    "time": {"type": "string", "pattern": "^(([01]?[0-9]|2[0-3]):[0-5][0-9])?$", "examples": ["20:00"]},
}


def values_schema(catalogue: Catalogue) -> dict[str, Any]:
    """The schema of `SettingValues`: every setting by name, null for "unset here"."""
    return {
        "type": "object",
        "title": "SettingValues",
        "description": "Setting name → value. null is “unset here”: back to the default, whatever is set at a wider scope. A list in the answer never has an entry twice.",
        "properties": {name: setting_schema(setting) for name, setting in catalogue.settings.items()},
        "additionalProperties": False,
    }


def setting_schema(setting: Setting) -> dict[str, Any]:
    """One setting's value; its description says where it may be set."""
    where = ", ".join(setting.scopes) or "nowhere: a property of the tenant"
    unit = f" Unit: {setting.unit}." if setting.unit else ""
    return {
        "description": f"{setting.label}. {setting.help}{unit} Set for: {where}.",
        "default": setting.default if not isinstance(setting.default, tuple) else list(setting.default),
        "anyOf": [_value_schema(setting), {"type": "null"}],
    }


def _value_schema(setting: Setting) -> dict[str, Any]:
    if setting.type == "list":
        items: dict[str, Any] = {
            "type": "string",
            **({"enum": list(setting.choices)} if setting.choices else {"pattern": "^[0-9*#+]{1,40}$"}),
        }
        return {"type": "array", "items": items, "uniqueItems": True}
    schema = dict(_TYPES[setting.type])
    if setting.type == "choice":
        schema["enum"] = list(setting.choices)
    if setting.type == "int":
        schema |= {
            "minimum": setting.minimum or 0,
            "maximum": setting.maximum if setting.maximum is not None else 2**31 - 1,
        }
    return schema
