"""The record: database triggers that write an AuditEvent for every row written, changed or deleted.

Triggers, because nothing above the database sees every write: model signals and libraries built on
them (django-auditlog) miss `bulk_create`, `update()` and raw SQL, and django-pghistory, which uses
triggers too, knows PostgreSQL only. They stand on every table of this repository's own apps, so that a
new model is recorded from its first row, and come from the models' fields after every `migrate`.

Who acts (`practice.audit`) reaches the triggers without a query of its own. On SQLite they call back
into the process that writes; a program that cannot answer cannot write. On PostgreSQL each writing
statement carries a transaction-local setting in front of it, so that nothing goes stale after a
rollback or leaks through a connection pool.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

from django.apps import AppConfig, apps
from django.apps.registry import Apps
from django.conf import settings
from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper

from practice.record.postgresql import PostgreSQL
from practice.record.sqlite import SQLite


class Vendor(Protocol):
    """How one database keeps the record; every method returns statements to run."""

    def removals(self, connection: BaseDatabaseWrapper) -> list[str]: ...
    def append_only(self, events: str) -> list[str]: ...
    def triggers(self, model: type[models.Model], events: str) -> list[str]: ...
    def tell_who_acts(self, connection: BaseDatabaseWrapper) -> None: ...


_VENDORS: dict[str, Vendor] = {"sqlite": SQLite(), "postgresql": PostgreSQL()}


def after_migrate(sender: AppConfig, using: str, plan: object = None, apps: Apps = apps, **_: Any) -> None:
    """Put the triggers back; without a plan it was `flush`, which leaves the tables as they were."""
    if plan is not None:
        install(using=using, known=apps)


def install(*, using: str = "default", known: Apps = apps) -> None:
    """Put the triggers on every table of the apps as `known` has them."""
    connection = connections[using]
    vendor = _VENDORS[connection.vendor]
    tables = set(connection.introspection.table_names())
    events = known.get_model("practice", "AuditEvent")._meta.db_table
    if events not in tables:
        return  # migrated back to nothing
    remove(using=using)
    _run(connection, vendor.append_only(events))
    for model in _recorded(known.get_models(include_auto_created=True)):
        if model._meta.db_table in tables:
            _run(connection, vendor.triggers(model, events))


def remove(*, using: str = "default", **_: Any) -> None:
    """Take the triggers off, before `migrate` changes the columns that they name."""
    connection = connections[using]
    _run(connection, _VENDORS[connection.vendor].removals(connection))


def tell_who_acts(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Let the triggers ask over a new connection who acts."""
    _VENDORS[connection.vendor].tell_who_acts(connection)


def _recorded(known: Iterable[type[models.Model]]) -> Iterator[type[models.Model]]:
    """Yield the models that have tables in this repository's apps; not the record itself."""
    own = {app.label for app in apps.get_app_configs() if Path(app.path).parent == settings.BASE_DIR}
    for model in known:
        options = model._meta
        has_table = options.managed and not options.proxy
        if has_table and options.app_label in own and options.model_name != "auditevent":
            yield model


def _run(connection: BaseDatabaseWrapper, statements: Iterable[str]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
