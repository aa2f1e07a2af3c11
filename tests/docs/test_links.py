from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.docs.pages import REPOSITORY, anchors, links, markdown_pages, name

SERVER_OWN = ("/problems", "/api/v1/")
"""Addresses of the running server that its own pages name."""


@pytest.mark.parametrize("page", markdown_pages(), ids=name)
def test_relative_links_and_anchors_lead_somewhere(page: Path) -> None:
    assert not [target for target in links(page.read_text(encoding="utf-8")) if not _resolves(page, target)]


def _resolves(page: Path, target: str) -> bool:
    parts = urlsplit(target)
    if parts.scheme or target.startswith(SERVER_OWN):
        return parts.scheme in {"", "https", "http", "mailto"}
    folder = (
        REPOSITORY / "docs" if page.is_relative_to(REPOSITORY / "provisioner") else page.parent
    )  # part of a generated page
    path = (folder / unquote(parts.path)).resolve() if parts.path else page
    if not path.exists() or not path.is_relative_to(REPOSITORY):
        return False
    return not parts.fragment or parts.fragment in anchors(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see [this](a.md#b) and ![it](c/d.png)", ["a.md#b", "c/d.png"]),
        ("`[no](code.md)` [`yes`](e.md)", ["e.md"]),
        ("```md\n[no](code.md)\n```\n[yes](f.md)", ["f.md"]),
        ("| [a](b.md) | [c](d.md) |", ["b.md", "d.md"]),
    ],
)
def test_links_are_found_outside_code_only(text: str, found: list[str]) -> None:
    assert list(links(text)) == found


def test_anchors_are_made_as_github_makes_them() -> None:
    text = "# A used phone\n## What the server asks (`POST /RPC`)\n## Known limits\n```sh\n# no heading\n```\n## Known limits\n"
    assert anchors(text) == {
        "a-used-phone",
        "what-the-server-asks-post-rpc",
        "known-limits",
        "known-limits-1",
    }


@pytest.mark.parametrize(
    "target", ["gone.md", "README.md#no-such-heading", "../outside.md", "file:///etc/passwd"]
)
def test_a_dead_link_is_noticed(target: str) -> None:
    assert not _resolves(REPOSITORY / "README.md", target)
