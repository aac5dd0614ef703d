"""What an exchange's refusal says about the key, the order and the venue."""

import asyncio

import ccxt.async_support as ccxt
import pytest

from common.clock import now
from exchanges.outcomes import NOT_SENT, REFUSED, UNKNOWN, VenueError, Wire, classify, venue_code_of
from exchanges.quirks import QUIRKS, quirks_of


def judged(error: Exception, ccxt_id: str, status: int = 400) -> VenueError:
    """The verdict on an error after the request had left."""
    return classify(error, Wire(sent_at=now(), status=status), quirks_of(ccxt_id))


def test_a_symbol_that_is_not_permitted_does_not_condemn_the_key() -> None:
    verdict = judged(
        ccxt.PermissionDenied('binance {"code":-2010,"msg":"not permitted"}'), "binance"
    )
    assert (verdict.outcome, verdict.code, verdict.venue_code) == (
        REFUSED,
        "permission_denied",
        "-2010",
    )


@pytest.mark.parametrize(
    "error",
    [ccxt.AuthenticationError("x"), ccxt.AccountSuspended("x"), ccxt.AccountNotEnabled("x")],
)
def test_what_speaks_of_the_whole_account_condemns_the_key(error: Exception) -> None:
    assert judged(error, "binance").code == "key_refused"


def test_a_key_code_condemns_the_key_whatever_its_class() -> None:
    verdict = judged(ccxt.PermissionDenied('binance {"code":-2015,"msg":"Invalid key"}'), "binance")
    assert (verdict.outcome, verdict.code) == (REFUSED, "key_refused")


@pytest.mark.parametrize("words", ["Invalid key", "Invalid signature", "Permission denied"])
def test_krakens_words_for_a_bad_key_are_understood(words: str) -> None:
    text = f'kraken {{"error":["EAPI:{words}"]}}'
    verdict = judged(ccxt.ExchangeError(text), "kraken", status=200)
    assert (verdict.outcome, verdict.code) == (REFUSED, "key_refused")
    assert venue_code_of(text) == f"EAPI:{words}"


def test_venues_whose_orders_cannot_carry_our_id_are_known() -> None:
    without = {ccxt_id for ccxt_id in QUIRKS if not quirks_of(ccxt_id).has_client_id}
    assert {"bitflyer", "luno", "zaif"} <= without
    assert without <= set(ccxt.exchanges)
    assert len(without) == 25
    assert quirks_of("binance").has_client_id
    assert quirks_of("alpaca").has_client_id


@pytest.mark.parametrize(
    "error",
    [
        ccxt.ExchangeError("x"),
        ccxt.OperationFailed("x"),
        ccxt.BadResponse("x"),
        ccxt.NullResponse("x"),
        ccxt.CancelPending("x"),
        ccxt.DuplicateOrderId("x"),
        ccxt.NetworkError("x"),
        ccxt.RequestTimeout("x"),
        ValueError("x"),
        asyncio.CancelledError(),
        TimeoutError(),
        KeyError("id"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_proves_nothing_leaves_the_outcome_open(error: BaseException) -> None:
    wire = Wire(sent_at=now(), status=200)
    assert classify(error, wire, quirks_of("binance")).outcome == UNKNOWN
    assert classify(error, Wire(), quirks_of("binance")).outcome == NOT_SENT


def test_a_revoked_key_is_no_rate_limit_although_ccxt_says_so() -> None:
    """ccxt raises DDoSProtection for -2015 once a request of the object has succeeded."""
    verdict = judged(ccxt.DDoSProtection('binance {"code":-2015,"msg":"x"}'), "binance", status=401)
    assert (verdict.outcome, verdict.code) == (REFUSED, "key_refused")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("The order already exists", "duplicate_order_id"),
        ("Duplicate client id", "duplicate_order_id"),
        ("Order creation timed out", "timeout"),
        ("server time-out", "timeout"),
    ],
)
def test_a_refusal_that_speaks_of_a_duplicate_or_a_time_out_is_doubted_everywhere(
    words: str, code: str
) -> None:
    verdict = judged(ccxt.InvalidOrder(f"alpaca {words}"), "alpaca")
    assert (verdict.outcome, verdict.code) == (UNKNOWN, code)


def test_okx_is_judged_by_the_code_of_the_order_not_of_its_batch() -> None:
    text = 'okx {"code":"1","data":[{"sCode":"51016","sMsg":"x"}],"msg":""}'
    assert venue_code_of(text) == "51016"
    assert venue_code_of('okx {"code":"50011","data":[{"sCode":"0"}]}') == "50011"
