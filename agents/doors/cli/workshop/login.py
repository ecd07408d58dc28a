"""The address of a login of the broker, for users that are neither a client nor the supervisor."""

from agents.doors.cli.errors import no_workshop
from agents.shared.settings import Settings
from agents.shared.supervisor.address import find_workshop
from bus import credentials
from bus.connection import Address
from bus.credentials import outside_address


def login_address(login: str, settings: Settings) -> Address:
    """The login's own address: in the URL of the settings, else as the running workshop of this home keeps it.

    Raises:
        Failure: neither is there.
    """
    if settings.nats_url is not None:
        return outside_address(settings.nats_url, settings.nats_folder, login)
    kept = credentials.read_credentials(settings.nats_folder)
    if kept is None or find_workshop(settings.address_file) is None:
        raise no_workshop(
            f"no workshop runs in {settings.home}",
            hint="start one: bottega up; or point BOTTEGA_NATS_URL to a server",
        )
    return kept.address(login)
