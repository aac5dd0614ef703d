"""A declared venue's own request budget."""

import pytest

from common.errors import ConfigurationError
from exchanges.venues import parse_venues

ADDRESS = {"ccxt": "binance", "base_url": "http://127.0.0.1:9001"}


def test_a_declared_venue_may_have_its_own_budget() -> None:
    venues = parse_venues({"near": {**ADDRESS, "requests_per_second": 2.5}, "far": ADDRESS})
    assert (venues["near"].requests_per_second, venues["far"].requests_per_second) == (2.5, None)


@pytest.mark.parametrize("budget", [0, -1, "100", True])
def test_a_budget_that_is_none_is_refused(budget: object) -> None:
    with pytest.raises(ConfigurationError, match='requests_per_second of venue "near"'):
        parse_venues({"near": {**ADDRESS, "requests_per_second": budget}})
