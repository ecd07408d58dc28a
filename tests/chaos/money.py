"""What an outsider finds about money in a ledger at rest, beside the journal of the provider who was paid.

SQL by hand. Each check returns sentences about what is wrong. The numbers are those of the invariants.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.chaos.checker import Row, rows
from tests.chaos.provider import Call

Attempt = tuple[str, int, int]
"""(hash of the batch, index, attempt)."""

UNCHARGED = {"refused"}
NEVER_KNOWN = {"ambiguous", "resolved"}


def check_money(home: Path, calls: Sequence[Call]) -> list[str]:
    """Everything that is wrong with the money in a home where all work has ended."""
    ledger = home / "ledger.db"
    clients = rows(ledger, "SELECT * FROM clients")
    reservations = rows(ledger, "SELECT * FROM reservations")
    intents = rows(ledger, "SELECT * FROM intents")
    spend = rows(ledger, "SELECT * FROM spend")
    return [*budgets_are_kept(clients, reservations, spend), *calls_are_written_down(intents, spend, calls)]


def budgets_are_kept(clients: Sequence[Row], reservations: Sequence[Row], spend: Sequence[Row]) -> Iterator[str]:
    """I4: nothing is held at the end, what was spent is the sum of its journal, and no limit was passed."""
    spent: Counter[str] = Counter()
    for row in spend:
        spent[row["client_id"]] += row["micros"]
    for client in clients:
        name, limit = client["client_id"], client["limit_micros"]
        if client["held_micros"] != 0:
            yield f"I4: {client['held_micros']} micro-dollars of {name} are still held"
        if client["spent_micros"] != spent[name]:
            yield f"I4: {name} spent {client['spent_micros']}, the journal says {spent[name]}"
        if limit is not None and client["spent_micros"] + client["held_micros"] > limit:
            yield f"I4: {name} spent {client['spent_micros']} of {limit}"
    for row in reservations:
        if row["state"] != "closed":
            yield f"I4: the reservation of {row['hash']} is {row['state']}"
        if row["settled_micros"] + row["released_micros"] < row["amount_micros"]:
            yield f"I4: the reservation of {row['hash']} kept something: {row}"


def calls_are_written_down(intents: Sequence[Row], spend: Sequence[Row], calls: Sequence[Call]) -> Iterator[str]:
    """I5: each charged call has an intent and no attempt has two; what is recorded is never below what was charged, and
    equal where the end of the call was heard."""
    by_request: defaultdict[str, list[Call]] = defaultdict(list)
    for call in calls:
        by_request[call.request].append(call)
    recorded: Counter[Attempt] = Counter()
    for row in spend:
        recorded[row["hash"], row["index"], row["attempt"]] += row["micros"]
    known = {row["request"]: row for row in intents}
    for request in by_request.keys() - known.keys():
        yield f"I5: a call was charged and never written down: {by_request[request]}"
    for request, row in known.items():
        attempt = (row["hash"], row["index"], row["attempt"])
        charged = sum(call.micros for call in by_request[request])
        if len(by_request[request]) > 1:
            yield f"I5: {attempt} was charged {len(by_request[request])} times"
        if row["state"] == "open":
            yield f"I5: the intent of {attempt} is still open"
        elif row["state"] in UNCHARGED and charged:
            yield f"I5: {attempt} is noted as {row['state']} and was charged"
        elif row["state"] == "captured" and (recorded[attempt] != charged or not charged):
            yield f"I5: {attempt} is noted at {recorded[attempt]} and was charged {charged}"
        elif row["state"] in NEVER_KNOWN and recorded[attempt] < charged:
            yield f"I5: {attempt} is noted at {recorded[attempt]}, less than the {charged} charged"
