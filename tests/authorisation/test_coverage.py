"""Nothing that can be asked is left out of the matrix, and how large it is."""

from collections.abc import Callable

from surfaces.policy import Policy
from tests.authorisation.callers import HOLDS
from tests.authorisation.test_acts import LISTED, PAGED
from tests.authorisation.test_matrix import rest_routes
from tests.authorisation.test_pages import NOBODY, PEOPLE, console_addresses, dashboard_routes
from tradingplatform.access_table import SOCKET, Route, routes
from tradingplatform.console_table import console_pages

# Asked one by one, in test_sockets.py and test_streams.py, by everybody.
STREAMS = {
    "/ws",
    "/ws/v1",
    "/ws/<user_id>",
    "/api/v1/ws/<user_id>",
    "/v1/stream",
    "/dashboard/ws",
}


def asked_elsewhere(route: Route) -> bool:
    """Whether a route is open to everybody, or is a stream, which has tests of its own."""
    return route.policy is Policy.PUBLIC or route.path in STREAMS


def test_every_route_is_asked_by_everybody() -> None:
    matrix = {(each.path, each.method) for each in [*rest_routes(), *dashboard_routes()]}
    left_out = [
        f"{each.method} {each.path}"
        for each in routes()
        if (each.path, each.method) not in matrix and not asked_elsewhere(each)
    ]
    assert left_out == []
    assert {each.path for each in routes() if each.method == SOCKET} <= STREAMS


def test_the_size_of_the_matrix(record_property: Callable[[str, object], None]) -> None:
    people, everybody = len(PEOPLE), len(HOLDS)
    cells = {
        "REST": len(rest_routes()) * everybody,
        "streams": len(STREAMS) * everybody,
        "dashboard": len(dashboard_routes()) * (people + len(NOBODY)),
        "console pages": len(console_pages()) * people,
        "console acts": len([*LISTED, *PAGED]) * people,
        "console addresses": len(console_addresses()) * len(NOBODY),
    }
    parts = ", ".join(f"{count} {name}" for name, count in cells.items())
    record_property("told", f"authorisation matrix: {sum(cells.values())} cells ({parts})")
    assert cells["REST"] >= 900
    assert sum(cells.values()) >= 3000
