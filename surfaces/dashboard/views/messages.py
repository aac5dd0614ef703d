"""The alert message of a bot: written to be pasted into TradingView, and tried out before."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render

from bots.models import BODY_SECRET, TOKEN, Bot
from common.clock import now
from common.errors import DomainError
from common.principal import Principal
from surfaces.dashboard.access import STATUS, page
from surfaces.dashboard.lookups import bot_of
from surfaces.dashboard.message_form import MessageForm, SampleForm
from surfaces.policy import Policy, declares
from surfaces.webhook_address import TRADINGVIEW_ADDRESSES, obstacles, webhook_address
from users.permissions import MANAGE, TRADE, may
from webhooks.dry_run import DryRun, dry_run
from webhooks.message import filled_in, message_for, sample_values

TOKEN_PLACE = "<the bot's own token>"


def _form(request: Any) -> MessageForm:
    """The choices as the address holds them, the usual ones for the rest."""
    given = {name: request.GET.get(name, usual) for name, usual in MessageForm.USUAL.items()}
    return MessageForm(given)


def _written(bot: Bot, form: MessageForm) -> str:
    """The message of a valid form, empty for another. The secret stands in it only where the bot
    has no better way to know its alerts.
    """
    if not form.is_valid():
        return ""
    with_secret = BODY_SECRET in bot.auth_modes and TOKEN not in bot.auth_modes
    return message_for(bot.name, form.as_wish(), with_secret=with_secret)


def _shown(
    request: Any, bot: Bot, form: MessageForm, *, status: int = 200, **context: Any
) -> HttpResponse:
    modes = bot.auth_modes
    address = webhook_address(request)
    text = _written(bot, form)
    sample = context.pop("sample", None) or SampleForm(
        initial={**SampleForm.USUAL, "message": text}
    )
    return render(
        request,
        "dashboard/alert_message.html",
        {
            "bot": bot,
            "form": form,
            "text": text,
            "sample": sample,
            "modes": modes,
            "address": f"{address}/{TOKEN_PLACE}" if TOKEN in modes else address,
            "obstacles": obstacles(address),
            "tradingview": TRADINGVIEW_ADDRESSES,
            "may_manage": may(request.principal, MANAGE),
            "may_try": may(request.principal, TRADE),
            "section": "bots",
            "live": "",
            **context,
        },
        status=422 if form.errors else status,
    )


@page
def alert_message(request: Any, bot_id: int) -> HttpResponse:
    """The webhook address, the message that the chosen words come to, and the help about both."""
    return _shown(request, bot_of(request.principal, bot_id), _form(request))


@page
@declares({"POST": Policy.TRADE})
def try_message(request: Any, bot_id: int) -> HttpResponse:
    """What the message would do on each account, with a sample in the place of its placeholders."""
    bot = bot_of(request.principal, bot_id)
    sample = SampleForm(request.POST)
    found, error = _tried(request.principal, bot, sample)
    status = STATUS.get(type(error), 400) if error else 422 if sample.errors else 200
    context = {"found": found, "error": error, "sample": sample}
    if request.htmx:
        return render(request, "dashboard/dry_run.html", context, status=status)
    return _shown(request, bot, _form(request), status=status, **context)


def _tried(
    principal: Principal, bot: Bot, sample: SampleForm
) -> tuple[DryRun | None, DomainError | None]:
    if not sample.is_valid():
        return None, None
    given = sample.cleaned_data
    try:
        values = sample_values(
            symbol=given["symbol"], action=given["action"], price=given["price"], at=now()
        )
        body = filled_in(given["message"], values).encode()
        return dry_run(principal=principal, body=body, headers={}, bot=bot), None
    except DomainError as error:
        return None, error
