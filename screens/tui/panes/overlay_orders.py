"""The orders of the overlays: the worst first after the network of interest, or by a column."""

from collections.abc import Mapping

from console.addresses.accounting import NetworkAccount
from console.addresses.forecast import Trend
from console.diagnosis.values import Assessment, Severity
from screens.present.addresses import share_of
from screens.present.findings import severities
from screens.present.sorting import Order, Sorting

ORDERS: tuple[Order[tuple[NetworkAccount, Trend | None]], ...] = (
    Order("name", "NETWORK", lambda entry: entry[0].network.name.lower()),
    Order(
        "use",
        "IN USE",
        lambda entry: share_of(entry[0]) if entry[0].capacity else None,
        is_largest_first=True,
    ),
    Order("leaks", "LEAK", lambda entry: entry[0].leaked, is_largest_first=True),
    Order("free", "FREE", lambda entry: entry[0].free_at_most if entry[0].capacity else None),
    Order("trend", "TREND", lambda entry: _urgency(*entry)),
)


def _urgency(account: NetworkAccount, trend: Trend | None) -> tuple[int, float] | None:
    """Return how soon a network is full, smaller for sooner; None where its history does not tell."""
    if account.capacity and not account.free_at_most:
        return 0, 0
    if trend is None:
        return None
    if trend.full_in_hours is not None:
        return 1, trend.full_in_hours
    if trend.remaining_removals is not None:
        return 2, trend.remaining_removals
    return None if trend.per_hour is None else (3, -trend.per_hour)


WORST_FIRST = Sorting(ORDERS)


def sorted_accounts(
    assessment: Assessment,
    trends: Mapping[str, Trend],
    interest: str,
    sorting: Sorting[tuple[NetworkAccount, Trend | None]] = WORST_FIRST,
) -> list[NetworkAccount]:
    """Return the accounts of all overlays in an order.

    In the table's own, the network of interest stands first, so that it is always found at the same place; then the worst.
    """
    worst = severities(assessment.findings)
    accounts = sorted(
        assessment.accounts,
        key=lambda account: (
            account.network.name != interest,
            -worst.get(account.network.name, Severity.OK).rank,
        ),
    )  # a stable sort: among equals the fullest stay first
    entries = sorting.sort((account, trends.get(account.network.id)) for account in accounts)
    return [account for account, _ in entries]
