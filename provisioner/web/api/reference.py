"""docs/rest.md, made from the OpenAPI document; `python -m provisioner.web.api.reference docs` writes it and docs/problems.md."""

import json
import sys
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from provisioner.web.api.openapi import openapi_document
from provisioner.web.api.problem_pages import problem_reference
from provisioner.web.api.table import TAGS


def rest_reference() -> str:
    """The whole page: the hand-written introduction (introduction.md beside this file), then every operation."""
    document = openapi_document()
    parts = [(files("provisioner.web.api") / "introduction.md").read_text("utf-8").rstrip(), ""]
    for tag, text in TAGS.items():
        parts += [f"## {tag}", "", text, ""]
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                if tag in operation["tags"]:
                    parts += _operation(method.upper(), path, operation)
    parts += ["## Documents", ""]
    for name, schema in sorted(document["components"]["schemas"].items()):
        parts += _schema(name, schema)
    return "\n".join(parts).rstrip() + "\n"


def _operation(method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    yield from (f"### {operation['summary']}", "", f"`{method} {path}`", "", operation["description"], "")
    query = [parameter for parameter in operation["parameters"] if parameter["in"] == "query"]
    if query:
        yield from ("| query | values | |", "|---|---|---|")
        yield from (
            f"| `{one['name']}` | {_type(one['schema'])} | {one.get('description', '')} |" for one in query
        )
        yield ""
    body = operation.get("requestBody")
    if body:
        yield from (f"Send: {_type(body['content']['application/json']['schema'])}", "")
    yield from (f"- **{status}** {_answer(answer)}" for status, answer in operation["responses"].items())
    yield ""


def _answer(answer: dict[str, Any]) -> str:
    content: dict[str, Any] = answer.get("content", {}).get("application/json", {})
    what = f"{_type(content['schema'])}: " if content else ""
    return what + str(answer["description"]).replace("\n", " ")


def _schema(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield from (f"### {name}", "")
    if schema.get("description"):
        yield from (schema["description"], "")
    required = schema.get("required", [])
    properties = schema.get("properties", {})
    if properties:
        yield from ("| member | type | |", "|---|---|---|")
        for member, entry in properties.items():
            mark = "" if member in required or not required else " (optional)"
            yield f"| `{member}`{mark} | {_type(entry)} | {entry.get('description', '')} |".replace("\n", " ")
        yield ""


def _type(schema: dict[str, Any]) -> str:
    """A schema in a few words; a bar is written so that it does not end the cell of a table."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    kind = str(schema.get("type", "any value"))
    low, high = schema.get("minimum"), schema.get("maximum")
    bounds = f" {low} to {high}" if low is not None and high is not None else ""
    default = (
        f", default `{json.dumps(schema['default'], ensure_ascii=False)}`"
        if schema.get("default") not in (None, "")
        else ""
    )
    return f"{kind}{bounds}{default}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the pages that are made from the program into the folder given (docs)."""
    folder = Path((arguments if arguments is not None else sys.argv[1:])[0])
    (folder / "rest.md").write_text(rest_reference(), "utf-8")
    (folder / "problems.md").write_text(problem_reference(), "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
