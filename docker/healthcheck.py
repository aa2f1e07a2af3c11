#!/usr/bin/env python3
"""Exit 0 when the admin listener of this container says that it is healthy."""

import http.client
import os
import ssl
import sys


def is_healthy() -> bool:
    """Ask /healthz over the loopback. The certificate names the public host, so it is not compared here."""
    port = int(os.environ.get("PROVISIONER_ADMIN_PORT") or 8088)
    if os.environ.get("PROVISIONER_ADMIN_TLS", "").lower() in {"1", "true", "yes", "on"}:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            "127.0.0.1", port, timeout=3, context=context
        )
    else:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if is_healthy() else 1)
