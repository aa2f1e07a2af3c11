"""The OpenAPI document, docs/rest.md and the problem catalogue say what the code does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
from lxml import html

from provisioner.composition.catalogue import load_catalogue
from provisioner.errors import ProvisionerError
from provisioner.web.api.openapi import openapi_document
from provisioner.web.api.problem_pages import problem_reference, sections
from provisioner.web.api.reference import rest_reference
from provisioner.web.api.settings_schema import setting_schema
from provisioner.web.api.table import ENDPOINTS, TAGS
from provisioner.web.problems import DOCS, TITLES
from tests.api.world import ApiClient

DOCUMENTS = Path(__file__).resolve().parents[2] / "docs"


def leaves(error: type[ProvisionerError] = ProvisionerError) -> Iterator[type[ProvisionerError]]:
    yield error
    for leaf in error.__subclasses__():
        yield from leaves(leaf)


async def test_everybody_may_read_the_openapi_document(api: ApiClient) -> None:
    document = (await api.ask("GET", "/openapi.json", by=None, expect=200))[1]
    assert document == openapi_document()
    assert document["openapi"] == "3.1.0"


def test_every_schema_of_the_document_is_json_schema() -> None:
    document = openapi_document()
    for schema in document["components"]["schemas"].values():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})


def test_every_reference_of_the_document_leads_somewhere() -> None:
    document = openapi_document()

    def references(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            yield from ([node["$ref"]] if isinstance(node.get("$ref"), str) else [])
            for child in node.values():
                yield from references(child)
        elif isinstance(node, list):
            for child in node:
                yield from references(child)

    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert set(references(document)) - known == set()


def test_every_operation_has_words_a_tag_and_a_name_of_its_own() -> None:
    names = [endpoint.name for endpoint in ENDPOINTS]
    assert len(names) == len(set(names))
    assert all(endpoint.summary and endpoint.tag in TAGS for endpoint in ENDPOINTS)
    assert {endpoint.tag for endpoint in ENDPOINTS} == set(TAGS)


def test_a_settings_schema_takes_what_the_catalogue_takes() -> None:
    for setting in load_catalogue().settings.values():
        schema = setting_schema(setting)
        default = list(setting.default) if isinstance(setting.default, tuple) else setting.default
        assert jsonschema_rs.is_valid(schema, default), setting.name
        assert jsonschema_rs.is_valid(schema, None)
        assert not jsonschema_rs.is_valid(schema, {"an": "object"})
        if setting.maximum is not None:
            assert not jsonschema_rs.is_valid(schema, setting.maximum + 1)


def test_the_examples_of_requests_fit_their_schemas() -> None:
    document = openapi_document()
    for name, schema in document["components"]["schemas"].items():
        for member, entry in schema.get("properties", {}).items():
            for example in entry.get("examples", ()):
                assert jsonschema_rs.is_valid({**entry, "components": document["components"]}, example), (
                    name,
                    member,
                )


def test_the_rest_reference_is_up_to_date() -> None:
    assert (DOCUMENTS / "rest.md").read_text("utf-8") == rest_reference()


def test_the_rest_reference_has_every_operation() -> None:
    text = rest_reference()
    assert all(f"`{endpoint.method} /api/v1{endpoint.path}`" in text for endpoint in ENDPOINTS)


def test_the_problem_catalogue_is_up_to_date() -> None:
    assert (DOCUMENTS / "problems.md").read_text("utf-8") == problem_reference()


def test_every_problem_has_a_section_with_its_slug_as_anchor() -> None:
    slugs = {leaf.type for leaf in leaves() if leaf.__module__ == ProvisionerError.__module__} | {
        slug for slug, _ in TITLES.values()
    }
    anchors = [
        line.removeprefix("## ")
        for line in (DOCUMENTS / "problems.md").read_text("utf-8").splitlines()
        if line.startswith("## ")
    ]
    assert set(anchors) == slugs
    assert len(anchors) == len(slugs)
    assert all(section.meaning and section.remedy for section in sections())


async def test_the_type_of_a_problem_leads_to_its_explanation(api: ApiClient) -> None:
    problem = (await api.ask("GET", "/me", by=None, expect=401))[1]
    page, _, anchor = problem["type"].partition("#")
    assert problem["type"].startswith(DOCS)
    response = await api.http.get(page)
    assert response.status == 200
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    found = html.fromstring(await response.text()).get_element_by_id(anchor)
    assert "Log in" in found.text_content()
