"""`bottega deploy nats-config`: what a nats-server of one's own needs to know of the logins of this home."""

import json
import sys

from agents.doors.cli.settings import load_settings
from bus import credentials
from bus.accounts import server_accounts
from protocol.codec import MAX_MESSAGE_BYTES

HEAD = f"""\
# Accounts of a bottega workshop, for a nats-server of version 2.15 or newer. It has passwords: keep it to yourself.
# Include it in the configuration of the server, which needs JetStream, and give BOTTEGA_NATS_URL without a login:
#   jetstream {{ store_dir: "/var/lib/nats" }}
#   max_payload: {MAX_MESSAGE_BYTES}
#   include "bottega.conf"
# After clients were made, changed or revoked: write it again, and run `nats-server --signal reload` twice, because the
# accounts that a reload brings import only from the next one on.
"""


def print_nats_config() -> None:
    """Print the accounts, users and rights of every login that this home knows."""
    known = credentials.ensure_credentials(load_settings().nats_folder)
    sys.stdout.write(f"{HEAD}accounts: {json.dumps(server_accounts(known.passwords), indent=1)}\n")
