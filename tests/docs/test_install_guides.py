import re
from pathlib import Path

import pytest

from provisioner.access.reasons import SENTENCES, Reason
from provisioner.services.files.fetch_words import HINTS, SERVED, UNCHANGED
from provisioner.web.ui.words import STATES
from tests.docs.pages import REPOSITORY, name

GUIDES = sorted((REPOSITORY / "docs").glob("install-*.md"))
TEMPLATES = REPOSITORY / "provisioner" / "web" / "ui" / "templates"
FAULTS = re.compile(r"^## The ten usual faults\n\n(?P<table>(?:\|.*\n)+)", re.MULTILINE)
TOPICS = ("Have ready", "1. Register the phone", "3. What happens now", "DHCP and PnP", "Known limits")


def _rows(guide: Path) -> list[list[str]]:
    found = FAULTS.search(guide.read_text(encoding="utf-8"))
    assert found
    return [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in found["table"].splitlines()[2:]
    ]


def _spoken() -> list[re.Pattern[str]]:
    """Everything the provisioning log can say, with anything in its gaps."""
    gap = re.compile(r"%\(\w+\)s")
    said = [*SENTENCES.values(), *HINTS.values(), SERVED, UNCHANGED]
    return [re.compile(".+".join(re.escape(part) for part in gap.split(text))) for text in said]


@pytest.mark.parametrize("guide", GUIDES, ids=name)
def test_a_guide_has_every_topic_and_ten_faults_with_cures(guide: Path) -> None:
    text = guide.read_text(encoding="utf-8")
    assert [topic for topic in TOPICS if f"\n## {topic}\n" not in text] == []
    rows = _rows(guide)
    assert len(rows) == 10
    assert all(len(row) == 3 and all(row) for row in rows)


@pytest.mark.parametrize("guide", GUIDES, ids=name)
def test_guides_quote_what_the_program_really_says(guide: Path) -> None:
    pages = "".join(path.read_text(encoding="utf-8") for path in TEMPLATES.rglob("*.html"))
    ticks = {word.word for word in STATES.values()}
    unknown = []
    for row in _rows(guide):
        for quoted in re.findall("“([^”]+)”", row[0] + row[1]):
            in_words = any(pattern.fullmatch(quoted) for pattern in _spoken()) or quoted in ticks
            if not in_words and f'_("{quoted}")' not in pages:
                unknown.append(quoted)
    assert unknown == []


@pytest.mark.parametrize("guide", GUIDES, ids=name)
def test_the_commonest_reasons_are_explained(guide: Path) -> None:
    text = guide.read_text(encoding="utf-8")
    beginnings = [re.split(r"%\(|,", SENTENCES[reason])[0].strip() for reason in
                  (Reason.UNKNOWN_MAC, Reason.WRONG_PASSWORD, Reason.WRONG_USERNAME, Reason.DEVICE_LOCKED, Reason.NEEDS_TLS, Reason.NO_CREDENTIALS)]  # fmt: skip
    assert [beginning for beginning in beginnings if beginning not in text] == []


@pytest.mark.parametrize("guide", GUIDES, ids=name)
def test_buttons_named_in_a_guide_exist(guide: Path) -> None:
    pages = "".join(path.read_text(encoding="utf-8") for path in TEMPLATES.rglob("*.html"))
    code = "".join(path.read_text(encoding="utf-8") for path in (TEMPLATES.parent / "pages").glob("*.py"))
    bold = set(re.findall(r"\*\*([A-Z][^*.]{2,30})\*\*", guide.read_text(encoding="utf-8")))
    buttons = bold & {"New device", "Create", "Edit", "Unlock", "Replace password"}
    assert {"New device", "Create", "Unlock", "Replace password"} <= buttons
    assert [button for button in sorted(buttons) if f'_("{button}")' not in pages + code] == []
