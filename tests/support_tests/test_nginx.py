import urllib.request
from pathlib import Path

import pytest

from tests.support.nginx import Nginx
from tests.support.ports import free_port, loopback
from tests.support.program import ProgramError, is_installed

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not is_installed("nginx"), reason="nginx is not installed"),
]


def test_nginx_serves_what_the_test_says_and_ends(tmp_path: Path) -> None:
    address = loopback()
    port = free_port(address)
    http = f'server {{ listen {address}:{port}; location / {{ return 200 "hello\\n"; }} }}'
    with (
        Nginx(tmp_path / "nginx", http, address=address, port=port) as nginx,
        urllib.request.urlopen(f"http://{address}:{port}/", timeout=5) as answer,
    ):
        assert answer.read() == b"hello\n"
    assert not nginx.is_running
    assert not nginx.is_up()


def test_a_bad_configuration_is_shown_with_the_reason(tmp_path: Path) -> None:
    nginx = Nginx(tmp_path / "nginx", "nonsense;", address=loopback(), port=1)
    with pytest.raises(ProgramError, match='unknown directive "nonsense"'):
        nginx.start()
