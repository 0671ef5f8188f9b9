"""The record in PostgreSQL's words: a function and a trigger a table, and a setting that says who acts."""

import json
import re
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from practice import audit
from practice.record.columns import PREFIX, is_withheld, recorded_columns

_FIND = """
SELECT proname FROM pg_proc JOIN pg_namespace ON pg_namespace.oid = pronamespace
WHERE nspname = current_schema() AND starts_with(proname, %s)"""

_REFUSE = """
CREATE FUNCTION "{name}"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the record is append-only' USING ERRCODE = 'integrity_constraint_violation';
END $$"""

_RECORD = """
CREATE FUNCTION "{name}"() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changes jsonb;
    actor jsonb := coalesce(nullif(current_setting('eyecare.actor', true), ''), '{{}}')::jsonb;
BEGIN
    SELECT coalesce(jsonb_object_agg(name, jsonb_build_array(was, became)), '{{}}') INTO changes
    FROM (VALUES {columns}) AS columns (name, was, became) WHERE was IS DISTINCT FROM became;
    IF TG_OP <> 'UPDATE' OR changes <> '{{}}' THEN
        INSERT INTO "{events}" ("at", "action", "table", "row", "changes", "actor", "channel", "address")
        VALUES (
            clock_timestamp(), lower(TG_OP), '{table}', coalesce(NEW."{pk}", OLD."{pk}"), changes,
            coalesce(actor ->> 'account', ''),
            coalesce(actor ->> 'channel', 'database'),
            coalesce(actor ->> 'address', '')
        );
    END IF;
    RETURN NULL;
END $$"""

_WRITES = re.compile(
    r"\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*)*(?:INSERT|UPDATE|DELETE|MERGE|WITH|CALL|DO)\b",
    re.IGNORECASE | re.DOTALL,
)

Execute = Callable[[str, Any, bool, dict[str, Any]], Any]


class PostgreSQL:
    def removals(self, connection: BaseDatabaseWrapper) -> list[str]:
        with connection.cursor() as cursor:
            cursor.execute(_FIND, [PREFIX])
            return [f'DROP FUNCTION "{name}"() CASCADE' for (name,) in cursor.fetchall()]

    def append_only(self, events: str) -> list[str]:
        name = f"{PREFIX}is_append_only"
        return [_REFUSE.format(name=name), _trigger(name, "BEFORE UPDATE OR DELETE", events)]

    def triggers(self, model: type[models.Model], events: str) -> list[str]:
        table = model._meta.db_table
        function = _RECORD.format(
            name=PREFIX + table,
            table=table,
            events=events,
            pk=model._meta.pk.column,
            columns=", ".join(_column(field) for field in recorded_columns(model)),
        )
        return [function, _trigger(PREFIX + table, "AFTER INSERT OR UPDATE OR DELETE", table)]

    def tell_who_acts(self, connection: BaseDatabaseWrapper) -> None:
        if _name_the_actor not in connection.execute_wrappers:
            connection.execute_wrappers.append(_name_the_actor)


def _name_the_actor(execute: Execute, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """Put the actor in front of a write, in the same round trip; psycopg2 returns the last result."""
    if not _WRITES.match(sql):
        return execute(sql, params, many, context)
    actor = json.dumps(asdict(audit.current()))
    connection = context["connection"]
    setting = connection.ops.compose_sql("SELECT set_config('eyecare.actor', %s, true);\n", [actor])
    if params is not None:
        setting = setting.replace("%", "%%")
    return execute(setting + sql, params, many, context)


def _trigger(name: str, when: str, table: str) -> str:
    return f'CREATE TRIGGER "{name}" {when} ON "{table}" FOR EACH ROW EXECUTE FUNCTION "{name}"()'


def _column(field: models.Field) -> str:
    was, became = f'OLD."{field.column}"', f'NEW."{field.column}"'
    if is_withheld(field):
        changed = f"CASE WHEN {was} IS DISTINCT FROM {became} THEN to_jsonb('…'::text) END"
        return f"('{field.column}', NULL::jsonb, {changed})"
    return f"('{field.column}', to_jsonb({was}), to_jsonb({became}))"
