"""The demo practice's fixed cast: who plays which part, for demos, documentation and `converse`."""

from dataclasses import dataclass
from datetime import date

from patients.models import Account, Patient

PASSWORD = "see-clearly-2020"  # noqa: S105 - printed by `make run`; the demo holds made-up people only


@dataclass(frozen=True)
class Member:
    """Somebody of the cast; staff have no phone and no date of birth."""

    role: str
    first_name: str
    last_name: str
    email: str
    phone: str = ""
    date_of_birth: date | None = None
    story: str = ""

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}"

    @property
    def is_staff(self) -> bool:
        return self.date_of_birth is None


MEMBERS: dict[str, Member] = {
    member.role: member
    for member in (
        Member("booked", "Nora", "Lindqvist", "nora@example.com", "+12125550111", date(1961, 4, 9),
               "an exam soon, glasses at the lab, two open charges"),
        Member("order_ready", "Theo", "Marsh", "theo@example.com", "+12125550112", date(1988, 11, 23),
               "glasses ready to collect"),
        Member("contact_lens", "Priya", "Raman", "priya@example.com", "+12125550113", date(1994, 7, 2),
               "a lens prescription about to expire, a payment plan"),
        Member("parent", "Grace", "Bennett", "grace@example.com", "+12125550114", date(1983, 2, 14),
               "acts for her son Leo, one phone"),
        Member("child", "Leo", "Bennett", "leo@example.com", "+12125550114", date(2017, 9, 30),
               "a child who shares his mother's phone"),
        Member("overdue", "Walter", "Kim", "walter@example.com", "+12125550115", date(1955, 12, 1),
               "charges of more than 90 days"),
        Member("opted_out", "Rosa", "Delgado", "rosa@example.com", "+12125550116", date(1972, 6, 18),
               "asked for no more texts"),
        Member("new", "Sam", "Carter", "sam@example.com", "+12125550117", date(1999, 3, 27),
               "no history yet"),
        Member("front_desk", "Dana", "Whitfield", "dana@example.com"),
        Member("manager", "Marcus", "Hale", "marcus@example.com"),
        Member("admin", "Alex", "Novak", "alex@example.com"),
    )
}  # fmt: skip

PATIENTS = [member for member in MEMBERS.values() if not member.is_staff]
STAFF = [member for member in MEMBERS.values() if member.is_staff]
LOGINS = ["new", "booked", "parent", "front_desk", "manager", "admin"]
"""The parts that a newcomer plays first."""


def patient(role: str) -> Patient:
    """Return the patient who plays this part; raises Patient.DoesNotExist before `demo_data`."""
    return Patient.objects.get(email=MEMBERS[role].email)


def account(role: str) -> Account:
    """Return the log-in of this part."""
    return Account.objects.get(email=MEMBERS[role].email)


def find(role: str) -> Patient | Account:
    """Return the patient of this part, or the log-in of a member of staff; KeyError for no such part."""
    return account(role) if MEMBERS[role].is_staff else patient(role)
