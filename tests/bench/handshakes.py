"""A new TLS connection for every request, never resumed. wrk resumes sessions and cannot be told not to, so this is a client of our own.

As a program: `python -m tests.bench.handshakes PORT SECONDS CONNECTIONS < request`; prints requests, seconds and wrong answers.
"""

import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

from tests.bench.machine import load_core, pinned
from tests.bench.rounds import BenchError, Load
from tests.bench.servers import ROOT

CONNECTIONS = 6
KINDS = {
    ("ecdsa", "1.3"): "ECDSA, TLS 1.3",
    ("rsa", "1.3"): "RSA, TLS 1.3",
    ("ecdsa", "1.2"): "ECDSA, TLS 1.2",
    ("rsa", "1.2"): "RSA, TLS 1.2",
}
_SIGNATURES = {"ecdsa": "ecdsa_secp256r1_sha256", "rsa": "rsa_pss_rsae_sha256:rsa_pkcs1_sha256"}
# The client chooses version and kind of certificate; Python cannot say the second for TLS 1.3, OpenSSL's own file can.
_OPENSSL = """\
openssl_conf = start
[start]
ssl_conf = ssl
[ssl]
system_default = defaults
[defaults]
MinProtocol = TLSv{version}
MaxProtocol = TLSv{version}
SignatureAlgorithms = {signatures}
"""


def connect_anew(port: int, request: bytes, *, kind: tuple[str, str], seconds: float) -> Load:
    """One connection per request for a while; `kind` is ("ecdsa" or "rsa", "1.2" or "1.3")."""
    certificate, version = kind
    with tempfile.NamedTemporaryFile("w", suffix=".cnf") as file:
        file.write(_OPENSSL.format(version=version, signatures=_SIGNATURES[certificate]))
        file.flush()
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
        with pinned(load_core()):
            done = subprocess.run(
                [sys.executable, "-m", "tests.bench.handshakes", str(port), str(seconds), str(CONNECTIONS)],
                input=request, capture_output=True, check=False, timeout=seconds + 60, env={**os.environ, "OPENSSL_CONF": file.name, "PYTHONPATH": path},
            )  # fmt: skip
    if done.returncode:
        raise BenchError(f"the TLS client failed: {done.stderr.decode(errors='replace')[-500:]}")
    requests, duration, wrong = done.stdout.split()
    return Load(int(requests), float(duration), int(wrong))


class _Client:
    def __init__(self, port: int, request: bytes, *, end: float) -> None:
        self._port = port
        self._request = request
        self._end = end
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE  # a phone's own cost, not the server's
        self.right = self.wrong = 0

    def run(self) -> None:
        while time.monotonic() < self._end:
            if self._fetch():
                self.right += 1
            else:
                self.wrong += 1

    def _fetch(self) -> bool:
        try:
            with (
                socket.create_connection(("127.0.0.1", self._port), timeout=10) as plain,
                self._context.wrap_socket(plain, suppress_ragged_eofs=True) as sock,
            ):
                # else the request waits for the acknowledgement of the handshake's last message
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.sendall(self._request)
                head = sock.recv(65_536)
                while sock.recv(65_536):
                    pass
                return head.startswith(b"HTTP/1.1 200 ") and not sock.session_reused
        except OSError:
            return False


def main() -> None:
    port, seconds, connections = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    request = sys.stdin.buffer.read()
    begin = time.monotonic()
    clients = [_Client(port, request, end=begin + seconds) for _ in range(connections)]
    threads = [threading.Thread(target=client.run) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(
        sum(client.right for client in clients),
        time.monotonic() - begin,
        sum(client.wrong for client in clients),
    )


if __name__ == "__main__":
    main()
