"""Row 25 of the attack table, exposed services: the embedded server listens to this machine alone."""

from pathlib import Path

from bus.server import EmbeddedServer

LISTENS = "0A"
"""The state of a listening socket in /proc/net/tcp."""


def listening_addresses(pid: int) -> set[str]:
    """The local addresses that a process listens on, as the kernel writes them."""
    links = (str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink())
    sockets = {link.removeprefix("socket:[").removesuffix("]") for link in links if link.startswith("socket:[")}
    tables = (Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:] for table in ("tcp", "tcp6"))
    rows = [line.split() for table in tables for line in table]
    return {row[1] for row in rows if row[3] == LISTENS and row[9] in sockets}


async def test_the_embedded_server_listens_on_loopback_alone(nats_server: EmbeddedServer) -> None:
    """Row 25."""
    port = int(nats_server.url.rpartition(":")[2])

    assert listening_addresses(nats_server.pid) == {f"0100007F:{port:04X}"}
