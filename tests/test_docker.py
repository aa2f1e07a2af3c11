import http.server
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from tests.support.kamailio import REFERENCE, Kamailio, Site
from tests.support.ports import free_port
from tests.support.program import is_installed

TOP = Path(__file__).resolve().parents[1]
DOCKER = TOP / "docker"
SCRIPTS = [DOCKER / "entrypoint.sh", DOCKER / "kamailio" / "start.sh"]


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text())
    return loaded


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose()["services"]
    return found


def mounts() -> dict[str, Path]:
    """Where a file of ours is mounted in a container -> that file. `${NAME:-default}` stands for its default."""
    found = {}
    for service in services().values():
        for volume in service.get("volumes", []):
            text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", volume)
            source, target, *_ = text.split(":")
            if source.startswith("."):
                found[target] = DOCKER / source
    return found


def test_every_file_that_compose_mounts_is_there() -> None:
    assert len(mounts()) == 3
    for source in mounts().values():
        assert source.is_file(), source


def test_named_volumes_are_declared_and_used() -> None:
    used = {
        volume.partition(":")[0]
        for service in services().values()
        for volume in service.get("volumes", [])
        if volume[0] not in ".$"
    }
    assert used == set(compose()["volumes"])


def test_every_build_has_its_file_and_copies_what_exists() -> None:
    builds = [service["build"] for service in services().values() if "build" in service]
    assert len(builds) == 2
    for build in builds:
        context = (DOCKER / build["context"]).resolve()
        text = (context / build.get("dockerfile", "Dockerfile")).read_text()
        for line in re.findall(r"^COPY (?!--from)(.+)$", text, flags=re.MULTILINE):
            *sources, _ = line.split()
            for source in sources:
                assert (context / source).exists(), f"{source} of {build}"


def test_what_the_image_copies_is_not_kept_from_the_build() -> None:
    text = (DOCKER / "Dockerfile").read_text()
    lines = re.findall(r"^COPY (?!--from)(.+)$", text, flags=re.MULTILINE)
    wanted = {source for line in lines for source in line.split()[:-1]}
    admitted = {
        line[1:] for line in (DOCKER / "Dockerfile.dockerignore").read_text().splitlines() if line[0] == "!"
    }
    assert wanted == admitted


def test_the_configuration_of_compose_is_the_one_the_tests_run(tmp_path: Path) -> None:
    mounted = mounts()["/etc/kamailio/provisioner/kamailio.cfg"].resolve()
    assert mounted == REFERENCE
    Kamailio(tmp_path, Site(door="http://127.0.0.1:9/pbx/v1", token="x")).prepare()
    assert (tmp_path / "kamailio.cfg").resolve() == mounted
    assert "-f /etc/kamailio/provisioner/kamailio.cfg" in (DOCKER / "kamailio" / "start.sh").read_text()


def test_no_secret_has_a_default() -> None:
    example = dict(
        line.split("=", 1)
        for line in (DOCKER / ".env.example").read_text().splitlines()
        if line and not line.startswith("#")
    )
    assert example == {"PUBLIC_HOST": "", "POSTGRES_PASSWORD": "", "PBX_TOKEN": ""}
    asked = set(re.findall(r"\$\{(\w+)", (DOCKER / "compose.yaml").read_text()))
    assert asked == {*example, "KAMAILIO_SITE"}
    assert services()["database"]["environment"]["POSTGRES_PASSWORD"].startswith("${POSTGRES_PASSWORD:?")


def test_nothing_but_the_phone_door_and_sip_leaves_the_host() -> None:
    published = [port for service in services().values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert services()["server"]["environment"]["PROVISIONER_ADMIN_ADDRESS"] == "127.0.0.1"


@pytest.mark.parametrize("name", ["Dockerfile", "kamailio/Dockerfile"])
def test_no_container_of_ours_runs_as_root(name: str) -> None:
    users = re.findall(r"^USER (\w+)$", (DOCKER / name).read_text(), flags=re.MULTILINE)
    assert users
    assert users[-1] != "root"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_the_shell_scripts_parse(script: Path) -> None:
    done = subprocess.run(["sh", "-n", str(script)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def run_entrypoint(folder: Path, *words: str, existing: bool) -> list[str]:
    """The commands the entry point runs; `provisioner` is a script that writes its words down."""
    data, programs, journal = folder / "data", folder / "bin", folder / "journal"
    data.mkdir()
    programs.mkdir()
    if existing:
        (data / "provisioner.toml").write_text("")
    fake = programs / "provisioner"
    fake.write_text(f'#!/bin/sh\necho "$*" >> {journal}\n')
    fake.chmod(0o755)
    environment = {"PATH": f"{programs}:{os.environ['PATH']}", "PROVISIONER_DATA": str(data)}
    subprocess.run(["sh", str(SCRIPTS[0]), *words], env=environment, check=True)
    return journal.read_text().splitlines()


@pytest.mark.parametrize(
    ("words", "existing", "commands"),
    [
        (["serve"], False, ["init", "serve"]),
        (["serve", "--workers", "2"], True, ["serve --workers 2"]),
        (["token", "--help"], False, ["token --help"]),
    ],
)
def test_the_entry_point_makes_the_data_directory_once(
    tmp_path: Path, words: list[str], *, existing: bool, commands: list[str]
) -> None:
    assert run_entrypoint(tmp_path, *words, existing=existing) == commands


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_the_health_check_says_what_the_server_says(status: int, code: int) -> None:
    class Health(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with http.server.HTTPServer(("127.0.0.1", 0), Health) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        assert healthcheck(server.server_port) == code
        thread.join()


def test_the_health_check_notices_a_server_that_is_gone() -> None:
    assert healthcheck(free_port()) == 1


def healthcheck(port: int) -> int:
    environment = {**os.environ, "PROVISIONER_ADMIN_PORT": str(port), "PROVISIONER_ADMIN_TLS": ""}
    script = str(DOCKER / "healthcheck.py")
    return subprocess.run([sys.executable, script], env=environment, check=False).returncode


@pytest.mark.e2e
@pytest.mark.skipif(not is_installed("kamailio"), reason="Kamailio is not installed")
@pytest.mark.parametrize(
    "options",
    [[], ["WITH_PRES"], ["WITH_SCA"], ["WITH_PRES", "WITH_SCA"], ["WITH_TLS", "WITH_CA_FILE"]],
    ids="+".join,
)
def test_kamailio_accepts_the_committed_files(options: list[str]) -> None:
    modules = {"WITH_PRES": "presence_reginfo", "WITH_SCA": "sca", "WITH_TLS": "tls"}
    for option in options:
        if option in modules and not list(Path("/usr/lib").glob(f"*/kamailio/modules/{modules[option]}.so")):
            pytest.skip(f"the module of {option} is not installed")
    definitions = [word for option in options for word in ("-A", option)]
    done = subprocess.run(
        ["kamailio", "-c", "-f", str(REFERENCE), *definitions], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "config file ok" in done.stdout + done.stderr
    assert "ERROR" not in done.stderr
