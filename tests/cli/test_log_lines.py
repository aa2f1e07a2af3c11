"""No secret reaches a log line, however it is logged."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from provisioner.cli.logs import HIDDEN, hidden, log_to_stderr

CANARY = "c4n4ry-s3cret-value"


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in [handler for handler in root.handlers if handler not in handlers]:
        root.removeHandler(handler)
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.parametrize("as_json", [False, True])
def test_secrets_are_dots_in_structured_and_in_plain_log_lines(
    capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    log_to_stderr("info", as_json=as_json)
    structlog.get_logger().info(
        "fetched",
        password=CANARY,
        detail={"api_token": CANARY, "device": "desk"},
        url=f"https://ann:{CANARY}@host/x",
    )
    logging.getLogger("some.library").warning("asked %s", f"http://user:{CANARY}@host/path")
    logging.getLogger("some.library").warning("header Authorization: Bearer %s", CANARY)
    token = "prov_" + "a" * 12 + "_" + "B" * 40
    logging.getLogger("some.library").warning("token %s path /p/t/%s/x.xml", token, "Z" * 32)
    try:
        int(f"postgresql://user:{CANARY}@host/name")
    except ValueError:
        logging.getLogger("some.library").exception("failed")
        structlog.get_logger().exception("failed too")
    said = capsys.readouterr().err
    assert CANARY not in said
    assert "B" * 20 not in said
    assert "Z" * 20 not in said
    assert "desk" in said
    assert "ValueError" in said
    assert HIDDEN in said
    if as_json:
        assert all(isinstance(json.loads(line), dict) for line in said.splitlines())


def test_lines_below_the_level_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr("error")
    structlog.get_logger().warning("quiet")
    logging.getLogger("some.library").info("quiet")
    assert capsys.readouterr().err == ""


def test_what_is_no_secret_stays() -> None:
    value = {"port": 8443, "path": "/p/000413AABB01.xml", "items": ("a", 1), "token_id": 7}
    assert hidden(value) == {"port": 8443, "path": "/p/000413AABB01.xml", "items": ["a", 1], "token_id": 7}
