"""What live channels are told about credentials: look them up again."""

from events.log import publish
from users.models import ApiKey, User


def tell_key_ended(key: ApiKey) -> None:
    """The key is worth nothing any more."""
    publish(
        "api_key.revoked",
        organisation_id=key.organisation_id,
        topics=(f"key:{key.pk}",),
        payload={"prefix": key.prefix},
    )


def tell_rights_changed(user: User) -> None:
    """The user may do more or less than before, and so may the user's keys."""
    publish(
        "session.rights_changed",
        organisation_id=user.organisation_id,
        topics=(f"user:{user.pk}",),
        payload={},
    )
