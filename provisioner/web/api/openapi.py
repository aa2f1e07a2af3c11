"""The OpenAPI 3.1 document, made from the table of endpoints, the documents' types and the settings catalogue."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from inspect import cleandoc
from typing import Any

from aiohttp import web
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from provisioner import __version__
from provisioner.composition.catalogue import load_catalogue
from provisioner.errors import (
    BadInput,
    Forbidden,
    NotFound,
    ProvisionerError,
    StorageFull,
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from provisioner.web.api.documents import LARGEST_ID, Page
from provisioner.web.api.endpoint import BASE, Endpoint
from provisioner.web.api.settings_schema import values_schema
from provisioner.web.api.table import ENDPOINTS, TAGS
from provisioner.web.problems import CONTENT_TYPE, DOCS, TITLES

_REF = "#/components/schemas/{model}"
_PARAMETER = re.compile(r"{(\w+)}")

PROBLEM: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457. `type` is a relative reference to this server's page that explains it; its fragment is the stable slug. Further members depend on the type.",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "examples": [DOCS + "invalid-mac"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong in this case, for a person."},
        "errors": {
            "type": "array",
            "description": "Every field that is wrong.",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
    "examples": [
        {
            "type": DOCS + "invalid-mac",
            "title": "This is not a MAC address",
            "status": 422,
            "detail": "A MAC address has exactly 12 digits; this one has 11.",
            "field": "mac",
            "errors": [{"field": "mac", "message": "A MAC address has exactly 12 digits; this one has 11."}],
        }
    ],
}


async def get_openapi(_request: web.Request) -> web.Response:
    """The document, for everybody: it holds nothing of any tenant."""
    return web.Response(
        body=_encoded(), content_type="application/json", headers={"Cache-Control": "max-age=300"}
    )


@cache
def _encoded() -> bytes:
    return json.dumps(openapi_document(), ensure_ascii=False).encode()


def openapi_document() -> dict[str, Any]:
    """The whole description of the REST door."""
    names, schemas = _schemas()
    schemas |= {"Problem": PROBLEM, "SettingValues": values_schema(load_catalogue())}
    paths: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for endpoint in ENDPOINTS:
        paths[BASE + endpoint.path][endpoint.method.lower()] = _operation(endpoint, names)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Provisioner",
            "version": __version__,
            "description": "Phones, the people they belong to, their settings, and whether they are registered. "
            "Errors are RFC 9457 problems; lists are pages with a Link header (RFC 8288).",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "This server."}],
        "security": [{"token": []}, {"session": []}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": dict(paths),
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API token, prov_…; POST /tokens makes one.",
                },
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "session",
                    "description": "The browser's session after logging in; over TLS the cookie is called __Host-session. Requests that another web site makes are refused.",
                },
            },
        },
    }


def _schemas() -> tuple[dict[tuple[type[BaseModel], str], str], dict[str, Any]]:
    """Name in the document of every model, and the schemas by name."""
    inputs = {(endpoint.request, "validation") for endpoint in ENDPOINTS if endpoint.request}
    outputs = {(endpoint.response, "serialization") for endpoint in ENDPOINTS if endpoint.response}
    wanted: Any = sorted(inputs | outputs, key=lambda pair: (pair[0].__name__, pair[1]))
    refs, definitions = models_json_schema(wanted, ref_template=_REF)
    names = {pair: ref["$ref"].rpartition("/")[2] for pair, ref in refs.items()}
    return names, definitions["$defs"]  # type: ignore[return-value]  # pydantic's mode is a Literal, ours a str


def _operation(endpoint: Endpoint, names: dict[tuple[type[BaseModel], str], str]) -> dict[str, Any]:
    description = cleandoc(endpoint.handler.__doc__ or "")
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "description": f"{description}\n\nPermission: `{endpoint.permission.value}`.".strip(),
        "tags": [endpoint.tag],
        "parameters": [*_path_parameters(endpoint.path), *_query_parameters(endpoint)],
        "responses": {
            str(endpoint.status if endpoint.response else 204): _success(endpoint, names),
            **_problems(endpoint),
        },
    }
    if endpoint.request:
        schema = {"$ref": _REF.format(model=names[(endpoint.request, "validation")])}
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return operation


def _path_parameters(path: str) -> list[dict[str, Any]]:
    number = {"type": "integer", "minimum": 1, "maximum": LARGEST_ID}
    text = {"type": "string", "minLength": 1, "maxLength": 60}
    return [
        {"name": name, "in": "path", "required": True, "schema": number if name.endswith("_id") else text}
        for name in _PARAMETER.findall(path)
    ]


def _query_parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    schema = endpoint.query.model_json_schema(ref_template=_REF)
    return [
        {"name": name, "in": "query", "required": False, **_parameter(entry)}
        for name, entry in schema.get("properties", {}).items()
    ]


def _parameter(entry: dict[str, Any]) -> dict[str, Any]:
    """A parameter's schema, without the null that only stands for "not given"."""
    choices = [one for one in entry.get("anyOf", ()) if one.get("type") != "null"]
    kept = {
        key: value
        for key, value in entry.items()
        if key not in {"anyOf", "title", "description"} and value is not None
    }
    schema = {**kept, **(choices[0] if choices else {})}
    return {"schema": schema, **({"description": entry["description"]} if "description" in entry else {})}


def _success(endpoint: Endpoint, names: dict[tuple[type[BaseModel], str], str]) -> dict[str, Any]:
    if endpoint.response is None:
        return {"description": "Done."}
    schema = {"$ref": _REF.format(model=names[(endpoint.response, "serialization")])}
    headers: dict[str, Any] = {}
    if issubclass(endpoint.response, Page):
        headers["Link"] = {
            "description": "RFC 8288: rel=next and rel=prev, where there is such a page.",
            "schema": {"type": "string"},
        }
    if endpoint.location:
        headers["Location"] = {"description": "Where the new one is.", "schema": {"type": "string"}}
    answer = {
        "description": cleandoc(endpoint.response.__doc__ or "Done."),
        "content": {"application/json": {"schema": schema}},
    }
    return {**answer, **({"headers": headers} if headers else {})}


def _problems(endpoint: Endpoint) -> dict[str, Any]:
    """What can go wrong, by status: the use case's own errors and those every endpoint shares."""
    errors: list[type[ProvisionerError]] = [
        Unauthenticated,
        Forbidden,
        BadInput,
        Unavailable,
        *endpoint.errors,
    ]
    found: defaultdict[int, dict[str, str]] = defaultdict(dict)
    if "{" in endpoint.path:
        errors.append(NotFound)
    if endpoint.method != "GET":
        errors.append(StorageFull)
    if endpoint.request:
        errors.append(TooLarge)
        found[415] = dict([TITLES[415]])
    for error in errors:
        found[error.status][error.type] = error.title
    return {str(status): _problem(found[status].items()) for status in sorted(found)}


def _problem(slugs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    text = "; ".join(f"{title} (`{slug}`)" for slug, title in slugs)
    return {
        "description": text,
        "content": {CONTENT_TYPE: {"schema": {"$ref": _REF.format(model="Problem")}}},
    }
