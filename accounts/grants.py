"""Rights of single people on single accounts, given and taken. They count from the next request."""

from dataclasses import asdict, dataclass

from django.db import transaction

from common.errors import Invalid
from common.principal import Principal
from events.log import audit
from users.models import User
from users.permissions import over
from users.rights_news import tell_rights_changed

from .models import Account, AccountGrant


@dataclass(frozen=True, slots=True)
class Rights:
    """What a grant allows."""

    can_read: bool = True
    can_trade: bool = False
    can_manage_risk: bool = False
    can_trade_live: bool = False


@transaction.atomic
def set_grant(*, user: User, account: Account, rights: Rights, by: Principal) -> AccountGrant:
    """Give a person exactly these rights on an account of the same organisation.

    Raises Denied for whoever has no power over the person, Invalid for a foreign account.
    """
    acting = over(by, user)
    if account.organisation_id != user.organisation_id:
        raise Invalid(
            "The account belongs to another organisation.",
            code="foreign_account",
            fields={"account": "belongs to another organisation"},
        )
    held = AccountGrant.objects.select_for_update().filter(user=user, account=account).first()
    before = _told(held) if held else None
    after = {"account": account.pk, **asdict(rights)}
    if held and before == after:
        return held
    grant, _ = AccountGrant.objects.update_or_create(
        user=user, account=account, defaults=asdict(rights)
    )
    audit(acting, "grant.set", target=f"user:{user.pk}", before=before, after=after)
    tell_rights_changed(user)
    return grant


@transaction.atomic
def remove_grant(*, grant: AccountGrant, by: Principal) -> None:
    """Take a person's rights on an account away; raises Denied. Harmless when they are gone."""
    acting = over(by, grant.user)
    if AccountGrant.objects.filter(pk=grant.pk).delete()[0]:
        audit(acting, "grant.removed", target=f"user:{grant.user_id}", before=_told(grant))
        tell_rights_changed(grant.user)


def rights_of(grant: AccountGrant) -> Rights:
    """What a grant's row says."""
    return Rights(grant.can_read, grant.can_trade, grant.can_manage_risk, grant.can_trade_live)


def _told(grant: AccountGrant) -> dict[str, object]:
    return {"account": grant.account_id, **asdict(rights_of(grant))}
