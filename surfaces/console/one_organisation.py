"""Forms that refuse to join rows of two organisations; the database refuses it too."""

from collections.abc import Iterable
from typing import Any

from django.db import models
from django.forms import ModelForm
from django.forms.models import BaseInlineFormSet

from users.models import Organisation

FAULT = "{} belongs to another organisation."


class OneOrganisationForm(ModelForm):  # type: ignore[type-arg]
    """What a row names belongs to the row's own organisation, or, where it has none, together."""

    def clean(self) -> dict[str, Any]:
        """Adds an error to the field that names a foreign row."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        own = getattr(self.instance, "organisation_id", None)
        for name, value in list(cleaned.items()):
            for row in _rows(value):
                organisation = organisation_of(row)
                own = own or organisation
                if organisation not in (None, own):
                    self.add_error(name, FAULT.format(row))
                    break
        return cleaned


class OneOrganisationFormSet(BaseInlineFormSet):  # type: ignore[type-arg]
    """The same for rows below an owner that has an organisation."""

    def clean(self) -> None:
        """Adds an error to the form that names a foreign row."""
        super().clean()
        own = getattr(self.instance, "organisation_id", None)
        for form in self.forms:
            for name, value in list(getattr(form, "cleaned_data", {}).items()):
                for row in _rows(value):
                    if organisation_of(row) not in (None, own):
                        form.add_error(name, FAULT.format(row))


def organisation_of(row: models.Model) -> int | None:
    """The number of a row's organisation, None for what belongs to no organisation of its own."""
    return row.pk if isinstance(row, Organisation) else getattr(row, "organisation_id", None)


def _rows(value: Any) -> Iterable[models.Model]:
    if isinstance(value, models.Model):
        return (value,)
    return value if isinstance(value, models.QuerySet) else ()
