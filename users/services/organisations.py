"""Tenants."""

from django.db import IntegrityError, transaction

from common.errors import Conflict
from common.principal import Principal
from events.log import audit
from users.models import Organisation
from users.permissions import PLATFORM, demand


@transaction.atomic
def create_organisation(
    *, name: str, base_currency: str = "USDT", by: Principal | None = None
) -> Organisation:
    """A new tenant; None stands for the platform itself.

    Raises Denied for anybody but a superuser, Conflict when the name is taken.
    """
    if by is not None:
        demand(by, PLATFORM)
    taken = Conflict("An organisation of this name exists.", code="name_taken")
    if Organisation.objects.filter(name__iexact=name).exists():
        raise taken
    try:
        with transaction.atomic():
            organisation = Organisation.objects.create(name=name, base_currency=base_currency)
    except IntegrityError as error:
        raise taken from error
    audit(
        None,
        "organisation.created",
        actor=by.key if by else "system",
        address=by.address if by else "",
        organisation_id=organisation.pk,
        target=f"organisation:{organisation.pk}",
        after={"name": name},
    )
    return organisation
