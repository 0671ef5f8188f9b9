"""The demo's people: the cast, and townsfolk who fill the diary."""

import random
from datetime import date, timedelta

from eyecare import cast, clock, roles
from messaging.models import OptOut
from patients.models import Account, Consent, Patient, Proxy

FIRST_NAMES = (
    "Amara Ben Carla Diego Elena Felix Gita Hugo Imani Jonas Keiko Lars Mina Noel Olga Pedro Quinn Rafael "
    "Selma Tomas Uma Victor Wanda Xavier Yara Zane Abel Bianca Cyrus Dora"
).split()
LAST_NAMES = (
    "Abbott Berg Castillo Dunn Eriksen Fofana Garza Hughes Ibarra Jensen Kaur Lopez Moretti Ng Osei Park "
    "Quist Rossi Singh Turner Ueda Vance Weiss Xu Young Zielinski"
).split()
TOWNSFOLK = 152


def build(dice: random.Random) -> list[Patient]:
    """Write the cast and the townsfolk; return the townsfolk."""
    for member in cast.STAFF:
        _staff(member)
    for position, member in enumerate(cast.PATIENTS):
        _patient(member, number=f"P{position + 1:05}")
    _household(cast.patient("parent"), cast.patient("child"))
    OptOut.objects.create(phone=cast.MEMBERS["opted_out"].phone, word="STOP")
    return _townsfolk(dice)


def _staff(member: cast.Member) -> None:
    account = Account.objects.create_user(
        member.email,
        cast.PASSWORD,
        first_name=member.first_name,
        last_name=member.last_name,
        is_staff=True,
        is_superuser=member.role == "admin",
    )
    if member.role != "admin":
        account.groups.add(roles.group(member.role.replace("_", " ")))


def _patient(member: cast.Member, number: str) -> None:
    if member.date_of_birth is None:
        raise ValueError(f"{member.role} is no patient")
    patient = Patient.objects.create(
        number=number,
        first_name=member.first_name,
        last_name=member.last_name,
        date_of_birth=member.date_of_birth,
        phone=member.phone,
        email=member.email,
        address="7 Orchard Lane, Springfield",
        account=Account.objects.create_user(
            member.email, cast.PASSWORD, first_name=member.first_name, last_name=member.last_name
        ),
    )
    agreed = member.role != "opted_out"
    Consent.objects.bulk_create(
        Consent(patient=patient, kind=kind, granted=agreed, source="intake form")
        for kind in Consent.Kind.values
    )


def _household(parent: Patient, child: Patient) -> None:
    child.guarantor = parent
    child.save(update_fields=["guarantor"])
    Proxy.objects.create(patient=child, proxy=parent, relation=Proxy.Relation.PARENT)


def _townsfolk(dice: random.Random) -> list[Patient]:
    names = [(first, last) for first in FIRST_NAMES for last in LAST_NAMES]
    people = [
        Patient(
            number=f"P{index + 101:05}",
            first_name=first,
            last_name=last,
            date_of_birth=_birthday(dice),
            phone=f"+1646555{index + 1000:04}",
            address=f"{dice.randint(1, 200)} {dice.choice(['Elm', 'Cedar', 'Harbor', 'Mill'])} Street, Springfield",
        )
        for index, (first, last) in enumerate(dice.sample(names, TOWNSFOLK))
    ]
    Patient.objects.bulk_create(people)
    Consent.objects.bulk_create(
        Consent(
            patient=patient, kind=Consent.Kind.CARE_TEXTS, granted=dice.random() < 0.9, source="intake form"
        )
        for patient in people
    )
    return people


def _birthday(dice: random.Random) -> date:
    return clock.today() - timedelta(days=dice.randint(4 * 365, 88 * 365))
