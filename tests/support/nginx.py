"""nginx with a configuration of the test's own."""

import socket
from collections.abc import Sequence
from pathlib import Path

from tests.support.program import Program

_HEAD = """\
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log info;
worker_processes {workers};
{user}
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
"""


class Nginx(Program):
    """`http` is the inside of the http block: server and upstream blocks. Up when `address:port` takes connections."""

    name = "nginx"

    def __init__(
        self, folder: Path, http: str, *, address: str, port: int, workers: int = 1, user: str = ""
    ) -> None:
        super().__init__(folder)
        self.http = http
        self.address = address
        self.port = port
        self.workers = workers
        self.user = user

    def prepare(self) -> Sequence[str]:
        user = f"user {self.user};" if self.user else ""
        head = _HEAD.format(folder=self.folder, workers=self.workers, user=user)
        configuration = self.folder / "nginx.conf"
        configuration.write_text(head + self.http + "\n}\n")
        return ["nginx", "-p", str(self.folder), "-c", str(configuration), "-e", str(self.log_file)]

    def is_up(self) -> bool:
        try:
            with socket.create_connection((self.address, self.port), timeout=2):
                return True
        except OSError:
            return False
