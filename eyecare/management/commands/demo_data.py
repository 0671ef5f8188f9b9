"""Loads the demo practice once, dated relative to today; prints its cast."""

import json
import random
from argparse import ArgumentParser
from contextlib import nullcontext
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from appointments.models import Appointment
from billing.models import LedgerEntry
from chatbot import examples
from eyecare import cast, clock
from eyecare.demo import diary, house, people, records, waiting
from orders.models import Order
from patients.models import Patient
from practice.models import Practice

SEED = 20_20


class Command(BaseCommand):
    help = "Load the demo practice (once); with --cast, print who plays which part as JSON."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--cast", action="store_true", help="print the cast and what is expected of each")
        parser.add_argument(
            "--now", type=_moment, help="load it as of then, 2026-03-02T09:00 on the practice's wall"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        with clock.frozen_at(options["now"]) if options["now"] else nullcontext():
            if options["cast"]:
                self._print_cast()
            else:
                self._load_once()

    def _load_once(self) -> None:
        if Practice.objects.exists():
            if not Patient.objects.filter(email=cast.PATIENTS[0].email).exists():
                raise CommandError("This database holds a practice already. The demo needs an empty one.")
            self.stdout.write("The demo practice is there already.")
            return
        with transaction.atomic():
            self._load()
        self.stdout.write(
            f"   {Patient.objects.count()} patients, {Appointment.objects.count()} appointments"
        )

    def _load(self) -> None:
        dice = random.Random(SEED)
        house.build()
        people_of_the_town = people.build(dice)
        not_seen_for_long = people_of_the_town[: len(waiting.MONTHS_AGO)]
        townsfolk = people_of_the_town[len(waiting.MONTHS_AGO) :]
        diary.build(dice, townsfolk)
        waiting.build(dice, townsfolk, not_seen_for_long)
        records.build()
        examples.load_shipped()

    def _print_cast(self) -> None:
        if not Practice.objects.exists():
            raise CommandError("The demo practice is not loaded: run `manage.py demo_data` first.")
        parts = {role: _part(member) for role, member in cast.MEMBERS.items()}
        self.stdout.write(json.dumps(parts, indent=2, ensure_ascii=False))


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(house.TIME_ZONE))


def _part(member: cast.Member) -> dict[str, Any]:
    part: dict[str, Any] = {
        "name": member.name,
        "date_of_birth": member.date_of_birth.isoformat() if member.date_of_birth else None,
        "phone": member.phone or None,
        "email": member.email,
        "password": cast.PASSWORD,
    }
    return part if member.is_staff else part | {"expected": _expected(cast.patient(member.role))}


def _expected(patient: Patient) -> dict[str, Any]:
    upcoming = Appointment.objects.for_patient(patient).upcoming().with_details()
    return {
        "balance_cents": LedgerEntry.objects.for_payer(patient).total_cents(),
        "appointments": [
            {
                "id": str(row.pk),
                "visit_type": row.visit_type.name,
                "provider": row.provider.name,
                "location": row.location.name,
                "starts_at": row.starts_at.isoformat(),
            }
            for row in upcoming
        ],
        "orders": [{"number": row.number, "stage": row.stage} for row in Order.objects.for_patient(patient)],
    }
