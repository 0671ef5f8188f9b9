"""The record in SQLite's words: three triggers a table, and a function that says who acts."""

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from practice import audit
from practice.record.columns import PREFIX, holds_uuid, is_withheld, recorded_columns

_FIND = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND substr(name, 1, %s) = %s"

_REFUSE = """
CREATE TRIGGER "{prefix}refuses_{verb}" BEFORE {verb} ON "{events}"
BEGIN SELECT RAISE(ABORT, 'the record is append-only'); END"""

_RECORD = """
CREATE TRIGGER "{prefix}{verb}_{table}" AFTER {verb} ON "{table}" BEGIN
    INSERT INTO "{events}" ("at", "action", "table", "row", "changes", "actor", "channel", "address")
    SELECT strftime('%Y-%m-%d %H:%M:%f', 'now'), '{verb}', '{table}', {row}, changes,
           eyecare_actor('account'), eyecare_actor('channel'), eyecare_actor('address')
    FROM (
        SELECT json_group_object(name, json_array(was, became)) AS changes
        FROM ({columns}) WHERE was IS NOT became
    )
    WHERE '{verb}' <> 'update' OR changes <> '{{}}';
END"""


class SQLite:
    def removals(self, connection: BaseDatabaseWrapper) -> list[str]:
        with connection.cursor() as cursor:
            cursor.execute(_FIND, [len(PREFIX), PREFIX])
            return [f'DROP TRIGGER "{name}"' for (name,) in cursor.fetchall()]

    def append_only(self, events: str) -> list[str]:
        return [_REFUSE.format(prefix=PREFIX, verb=verb, events=events) for verb in ("update", "delete")]

    def triggers(self, model: type[models.Model], events: str) -> list[str]:
        return [_trigger(model, events, verb) for verb in ("insert", "update", "delete")]

    def tell_who_acts(self, connection: BaseDatabaseWrapper) -> None:
        connection.connection.create_function("eyecare_actor", 1, lambda part: getattr(audit.current(), part))


def _trigger(model: type[models.Model], events: str, verb: str) -> str:
    return _RECORD.format(
        prefix=PREFIX,
        verb=verb,
        table=model._meta.db_table,
        events=events,
        row=_value(model._meta.pk, "OLD" if verb == "delete" else "NEW"),
        columns=" UNION ALL ".join(_column(field, verb) for field in recorded_columns(model)),
    )


def _column(field: models.Field, verb: str) -> str:
    was = "NULL" if verb == "insert" else _value(field, "OLD")
    became = "NULL" if verb == "delete" else _value(field, "NEW")
    if is_withheld(field):
        was, became = "NULL", f"CASE WHEN {was} IS NOT {became} THEN '…' END"
    return f"SELECT '{field.column}' AS name, {was} AS was, {became} AS became"


def _value(field: models.Field, side: str) -> str:
    """Return a column as everybody else writes it: SQLite keeps a UUID as bare hexadecimals."""
    value = f'{side}."{field.column}"'
    if not holds_uuid(field):
        return value
    pieces = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
    return " || '-' || ".join(f"substr({value}, {start}, {length})" for start, length in pieces)
