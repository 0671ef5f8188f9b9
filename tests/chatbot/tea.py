"""A small task of our own to try the loop with: tables for tea, some taken, some about to be."""

from dataclasses import dataclass
from typing import Annotated, Any

from chatbot.arguments import Argument, Choice, Misunderstood, NotFoundYet, Options, Question, Situation
from chatbot.tools import Effect, Reply, ToolContext, tool
from eyecare.errors import NotFound, Refusal
from patients.models import Patient


@dataclass(frozen=True)
class Table:
    room: str
    hour: int

    def __str__(self) -> str:
        return f"{self.room} at {self.hour}:00"


class TableTaken(Refusal):
    code = "table_taken"


HOURS = (9, 10, 11, 14, 15, 16, 17)
taken: set[Table] = set()
served: list[tuple[str, Table, str | None, str]] = []


class RoomKind(Argument[str]):
    name = "room"
    description = "the words that say which room"

    def ask(self, situation: Situation) -> Question:
        return Question("Which room?", [Choice("Garden", "Garden"), Choice("Library", "Library")])

    def read(self, text: str, situation: Situation) -> str:
        for room in ("Garden", "Library"):
            if room.casefold() in text.casefold():
                return room
        raise Misunderstood("We have the Garden and the Library. Which room?")

    def dump(self, value: str) -> str:
        return value

    def load(self, key: str, situation: Situation) -> str:
        return key


class TableKind(Argument[Table]):
    name = "table"
    description = "the words that say when"
    depends_on = ("room",)

    def _free(self, situation: Situation, wish: str) -> list[Table]:
        free = [Table(situation.filled["room"], hour) for hour in HOURS]
        return [table for table in free if table not in taken and ("morning" not in wish or table.hour < 12)]

    def ask(self, situation: Situation) -> Question:
        return Question("When?", [self.choice(table) for table in self._free(situation, situation.wish)[:2]])

    def more(self, situation: Situation) -> Question:
        known = {choice.key for choice in situation.offered}
        rest = [table for table in self._free(situation, "") if self.dump(table) not in known]
        return Question("Or when?", [self.choice(table) for table in rest[:2]])

    def read(self, text: str, situation: Situation) -> Table | Options | NotFoundYet:
        if "room" not in situation.filled:
            return NotFoundYet()
        if "morning" in text:
            choices = [self.choice(table) for table in self._free(situation, text)[:2]]
            return Options("In the morning I have these.", choices)
        hour = "".join(filter(str.isdigit, text))
        if hour not in map(str, HOURS):
            raise Misunderstood("I did not get the hour. When would you like to come?")
        return self.load(f"{situation.filled['room']}/{hour}", situation)

    def dump(self, value: Table) -> str:
        return f"{value.room}/{value.hour}"

    def load(self, key: str, situation: Situation) -> Table:
        room, hour = key.split("/")
        table = Table(room, int(hour))
        if table in taken:
            raise TableTaken("That table has just been taken.", alternatives=self._free(situation, "")[:2])
        return table


class GuestKind(RoomKind):
    name = "guest"
    description = "the words that say who comes along"

    def ask(self, situation: Situation) -> Question:
        return Question("Who comes along?", [])

    def read(self, text: str, situation: Situation) -> str:
        if text == "a stranger":
            raise Misunderstood("I do not know that guest. Who comes along?")
        return text


class SittingKind(RoomKind):
    """What was booked before: the newest sitting goes without saying when it is the only one."""

    name = "sitting"
    description = "the words that say which sitting"

    def default(self, situation: Situation) -> str | None:
        if not served:
            raise NotFound("You have no table booked.")
        return str(len(served) - 1) if len(served) == 1 else None

    def read(self, text: str, situation: Situation) -> str:
        raise Misunderstood("Which sitting?")

    def ask(self, situation: Situation) -> Question:
        return Question(
            "Which sitting?", [Choice(str(row[1]), str(number)) for number, row in enumerate(served)]
        )


Room, Sitting = Annotated[str, RoomKind], Annotated[str, SittingKind]
TableArgument, Guest = Annotated[Table, TableKind], Annotated[str, GuestKind]


def register() -> None:
    """Register the tools anew; the registry forgets them after each test."""
    taken.clear()
    served.clear()

    @tool(confirm="Lay {table}?", label="Book a table")
    def book_table(
        patient: Patient,
        room: Room,
        table: TableArgument,
        guest: Guest | None = None,
        *,
        context: ToolContext,
    ) -> Reply:
        """Book a table for tea."""
        served.append((patient.first_name, table, guest, context.idempotency_key))
        return Reply.done(
            f"{table} is yours.", effect=Effect("table.booked", "sitting", str(len(served) - 1))
        )

    @tool(confirm=lambda sitting: f"Give up sitting {sitting}?", label="Give up a table")
    def drop_table(patient: Patient, sitting: Sitting, *, context: ToolContext) -> Reply:
        """Give up a table."""
        return Reply.done("It is given up.", effect=Effect("table.dropped", "sitting", sitting))

    @tool(private=True, label="See the bill")
    def tea_bill(patient: Patient) -> Reply:
        """Say what the tea costs."""
        return Reply.say(f"{patient.first_name} owes $4.20. Pay now?", start="pay_tea")

    @tool(label="Pay")
    def pay_tea(patient: Patient) -> Reply:
        """Pay for the tea."""
        return Reply.done("Paid.", effect=Effect("tea.paid", "bill", "1"))

    @tool(label="Ask about tea")
    def ask_tea(patient: Patient | None, *, context: ToolContext) -> Reply:
        """Answer a question about tea."""
        return Reply.say("Tea is served from nine.")


def names() -> tuple[str, ...]:
    return ("book_table", "drop_table", "tea_bill", "pay_tea", "ask_tea")


def as_dict(choices: list[Any]) -> list[str]:
    return [choice["label"] for choice in choices]
