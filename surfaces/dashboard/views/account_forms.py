"""Adding an account, and asking its exchange what the key may."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render

from accounts.books import SIMULATED
from accounts.services import create_account
from reports.account_exam import examine_account
from reports.doctor import FAILED, OK
from surfaces.dashboard.access import page
from surfaces.dashboard.account_form import AccountForm
from surfaces.dashboard.lookups import account_of
from surfaces.policy import Policy, declares

# How the results of checks are shown.
TONES = {OK: "good", FAILED: "bad"}


@page
@declares({"GET": Policy.MANAGE, "POST": Policy.MANAGE})
def new_account(request: Any) -> HttpResponse:
    """A new account; the page after it asks the exchange."""
    if request.method == "POST":
        form = AccountForm(request.POST)
        account = form.is_valid() and form.serve(
            lambda: create_account(principal=request.principal, **form.cleaned_data)
        )
        if account:
            messages.success(request, f"The account {account.name} is added.")
            return redirect("dashboard:account_checks", account_id=account.pk)
    else:
        form = AccountForm()
    context = {"form": form, "section": "accounts", "live": ""}
    status = 422 if form.errors else 200
    return render(request, "dashboard/account_new.html", context, status=status)


@page
@declares({"GET": Policy.MANAGE, "POST": Policy.MANAGE})
def account_checks(request: Any, account_id: int) -> HttpResponse:
    """What the exchange says of the account now: key, rights, clock, mode, balances."""
    account = account_of(request.principal, account_id)
    context = {
        "account": account,
        "books": [account.book],
        "is_simulated": account.book in SIMULATED,
        "section": "accounts",
        "live": "",
    }
    if request.method == "POST":
        context["exam"] = exam = examine_account(account)
        context["rows"] = [(each, TONES.get(each.result, "unsure")) for each in exam.findings]
    template = "account_exam.html" if request.htmx else "account_checks.html"
    return render(request, f"dashboard/{template}", context)
