"""The address of a login of the broker, for users that are neither a client nor the supervisor."""

from agents.doors.cli.errors import bad_input, no_workshop
from agents.doors.cli.speaker import needs_operator
from agents.shared.settings import Settings
from agents.shared.supervisor.address import find_workshop
from bus import credentials
from bus.connection import Address
from bus.credentials import outside_address


def login_address(login: str, settings: Settings) -> Address:
    """The login's own address: in the URL of the settings, else as the running workshop of this home keeps it.

    Raises:
        Failure: neither is there, or the URL's login is not the operator's.
    """
    if settings.nats_url is not None:
        address = outside_address(settings.nats_url, settings.nats_folder, login)
        if login == "operator" and (refusal := needs_operator(address.user, str(settings.nats_folder))):
            raise refusal
        return address
    kept = credentials.read_credentials(settings.nats_folder)
    if kept is None or find_workshop(settings.address_file) is None:
        raise no_workshop(
            f"no workshop runs in {settings.home}",
            hint="start one: bottega up; or point BOTTEGA_NATS_URL to a server",
        )
    return kept.address(login)


def kept_address(login: str, settings: Settings) -> Address:
    """The address of a login whose password this home keeps, at the server of the settings or the running workshop's.

    Raises:
        Failure: this is not the operator's home.
        KeyError: the home keeps no such login.
    """
    operator = login_address("operator", settings)
    kept = credentials.read_credentials(settings.nats_folder)
    if kept is None:
        raise bad_input(f"{settings.home} keeps no logins", hint="ask in the home of the workshop: see BOTTEGA_HOME")
    return Address(operator.url, login, kept.address(login).password)
