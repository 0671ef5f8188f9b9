"""What the record shows of a column."""

from django.db import models

PREFIX = "eyecare_record_"
"""The names of the record's triggers and functions start with it."""

_WITHHELD_NAMES = frozenset({"password", "token"})
_WITHHELD_KINDS = (models.TextField, models.JSONField, models.BinaryField)


def is_withheld(field: models.Field) -> bool:
    """Say whether the record tells only that a column changed: secrets, long texts, documents."""
    return field.name in _WITHHELD_NAMES or isinstance(field, _WITHHELD_KINDS)


def holds_uuid(field: models.Field) -> bool:
    """Say whether a column holds a UUID, of its own or through foreign keys."""
    while isinstance(field, models.ForeignKey):
        field = field.target_field
    return isinstance(field, models.UUIDField)
