"""What the record shows of a column."""

from collections.abc import Iterator

from django.db import models

PREFIX = "eyecare_record_"
"""The names of the record's triggers and functions start with it."""

_WITHHELD_NAMES = frozenset({"password", "token"})
_WITHHELD_KINDS = (models.TextField, models.JSONField, models.BinaryField)
_DERIVED_NAMES = frozenset({"vector", "vector_model", "stamp"})
"""Columns that the portal works out from others by itself, thousands at a time: nobody wrote them."""


def recorded_columns(model: type[models.Model]) -> Iterator[models.Field]:
    """Yield the columns of a table whose changes somebody has to answer for."""
    return (field for field in model._meta.concrete_fields if field.name not in _DERIVED_NAMES)


def is_withheld(field: models.Field) -> bool:
    """Say whether the record tells only that a column changed: secrets, long texts, documents."""
    return field.name in _WITHHELD_NAMES or isinstance(field, _WITHHELD_KINDS)


def holds_uuid(field: models.Field) -> bool:
    """Say whether a column holds a UUID, of its own or through foreign keys."""
    while isinstance(field, models.ForeignKey):
        field = field.target_field
    return isinstance(field, models.UUIDField)
