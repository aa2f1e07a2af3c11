#!/usr/bin/env python3
"""Tell the provisioning server the whole truth of a Kamailio registrar, now and again.

Events say at once what changed; this says what is. It reads all bindings by JSON-RPC (`ul.dump`) and PUTs them to
the PBX door: at its start, when Kamailio has been restarted (its memory, and with it every binding, is gone
without an event), and every EVERY seconds. Only the standard library is needed, so it runs on any PBX host.

Settings come from the environment:
  PBX_TOKEN        machine token of this PBX (required)
  PBX_DOOR         the PBX door, default http://127.0.0.1:8088/pbx/v1
  KAMAILIO_RPC     default http://127.0.0.1:5080/RPC
  EVERY            seconds between two full states, default 300
  CA_FILE          CA certificate of an https door, when it is not a public one
"""

import argparse
import json
import logging
import os
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any

LOG = logging.getLogger("reconcile")
WATCH_SECONDS = 5.0


class ReconcileError(Exception):
    """One of the two sides did not answer as it should; the next round tries again."""


def call(url: str, *, method: str, body: object, token: str = "", ca_file: str = "") -> Any:
    """Send `body` as JSON and return the JSON answer. Raises ReconcileError."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(url, json.dumps(body).encode(), headers, method=method)  # noqa: S310
    context = ssl.create_default_context(cafile=ca_file or None) if url.startswith("https:") else None
    try:
        with urllib.request.urlopen(request, timeout=30, context=context) as answer:  # noqa: S310
            return json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        with error:
            raise ReconcileError(f"{method} {url} was answered with {error.code}") from None
    except (OSError, ValueError) as error:
        raise ReconcileError(f"{method} {url}: {error}") from None


def rpc(url: str, method: str) -> Any:
    """The result of a JSON-RPC call without parameters. Raises ReconcileError."""
    answer = call(url, method="POST", body={"jsonrpc": "2.0", "id": 1, "method": method, "params": []})
    if not isinstance(answer, dict) or "result" not in answer:
        raise ReconcileError(f"{method} gave no result")
    return answer["result"]


def contacts(dump: Mapping[str, Any], now: int) -> Iterator[dict[str, Any]]:
    """The live bindings of a `ul.dump` as the door wants them; `Expires` is relative there, absolute here."""
    for domain in dump.get("Domains", []):
        for entry in domain["Domain"]["AoRs"]:
            for item in entry["Info"]["Contacts"]:
                contact = item["Contact"]
                if isinstance(contact["Expires"], int):  # else "expired" or "deleted": waiting to be swept
                    yield {
                        "aor": entry["Info"]["AoR"],
                        "expires": now + contact["Expires"],
                        **_facts(contact),
                    }


def _facts(contact: Mapping[str, Any]) -> dict[str, Any]:
    facts = {"contact": contact["Address"], "call_id": contact["Call-ID"], "cseq": contact["CSeq"]}
    if contact.get("User-Agent", "n/a") != "n/a":
        facts["user_agent"] = contact["User-Agent"]
    received = contact.get("Received", "")
    if received.startswith("sip:"):
        facts["source"] = received.removeprefix("sip:").partition(";")[0]
    return facts


def incarnation(url: str) -> str:
    """What is the same as long as Kamailio lives: its start, to the second, and its process numbers."""
    return f"{rpc(url, 'core.uptime')['up_since']} {rpc(url, 'core.ps')}"


def reconcile(settings: Mapping[str, str]) -> int:
    """Send one full state; returns the number of bindings in it. Raises ReconcileError."""
    now = int(time.time())  # before the dump: what changes meanwhile is newer than this state
    state = list(contacts(rpc(settings["KAMAILIO_RPC"], "ul.dump"), now))
    call(
        settings["PBX_DOOR"] + "/registrations",
        method="PUT",
        body={"time": now, "contacts": state},
        token=settings["PBX_TOKEN"],
        ca_file=settings["CA_FILE"],
    )
    return len(state)


def run(settings: Mapping[str, str]) -> None:
    """Reconcile for ever; a new incarnation means that Kamailio was restarted."""
    every, known, due = float(settings["EVERY"]), "", 0.0
    while True:
        try:
            started = incarnation(settings["KAMAILIO_RPC"])
            if started != known or time.monotonic() >= due:
                LOG.info("told %d bindings", reconcile(settings))
                known, due = started, time.monotonic() + every
        except ReconcileError as error:
            LOG.warning("%s", error)
        time.sleep(min(WATCH_SECONDS, every))


def main() -> None:
    defaults = {
        "PBX_DOOR": "http://127.0.0.1:8088/pbx/v1",
        "KAMAILIO_RPC": "http://127.0.0.1:5080/RPC",
        "EVERY": "300",
        "CA_FILE": "",
    }
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--once", action="store_true", help="one full state, then end (for cron)")
    once = parser.parse_args().once
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    settings = {name: os.environ.get(name) or value for name, value in defaults.items()}
    settings["PBX_TOKEN"] = os.environ.get("PBX_TOKEN", "")
    if not settings["PBX_TOKEN"]:
        parser.error("PBX_TOKEN is not set")
    if not once:
        run(settings)
    try:
        LOG.info("told %d bindings", reconcile(settings))
    except ReconcileError as error:
        parser.exit(1, f"reconcile: {error}\n")


if __name__ == "__main__":
    main()
