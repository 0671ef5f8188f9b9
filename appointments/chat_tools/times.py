"""How the assistant finds a time: what was wished for, or why not and what is nearest."""

from collections.abc import Sequence
from dataclasses import replace

from appointments import rules, services
from appointments.availability import Slot, closest
from appointments.chat_tools import wording
from appointments.chat_tools.reasons import Reason, why_not
from appointments.chat_tools.told import standing, visit_type_of
from appointments.chat_tools.wishes import wish_in, wish_of, with_earlier_words
from appointments.openings import OFFERED, Search, spread
from appointments.refusals import NotBookable
from chatbot.tools import Argument, Choice, NotFoundYet, Options, Question, Situation, registry
from chatbot.when import Wish

WAITLIST = ("wait_for_earlier", "join_waitlist")
"""The tasks that wait for a time: for a visit that moves, for a new one."""


class SlotArgument(Argument[Slot]):
    """A free time for the visit that is being booked or moved."""

    name = "slot"
    description = "the words that say which day and time"
    depends_on = ("visit_type", "appointment", "provider", "location")

    def ask(self, situation: Situation) -> Question:
        search, wish = _search(situation), wish_in(situation.wish, situation)
        if wish:
            return self._offer(_within(search, wish), wish)
        return self._question("When would you like to come?", spread(search.slots), search)

    def read(self, text: str, situation: Situation) -> Slot | Options | NotFoundYet:
        if visit_type_of(situation) is None:
            return NotFoundYet()
        words = with_earlier_words(text, situation)
        wish = wish_of(words, situation)
        search = _within(_search(situation), wish)
        matching = search.matching(wish)
        if len(matching) == 1 and not wish.soonest:
            return matching[0]
        offer = self._offer(search, wish)
        return Options(offer.text, offer.choices, words)

    def _offer(self, search: Search, wish: Wish) -> Question:
        """Return times as wished for; or else why there are none, and the nearest."""
        matching = search.matching(wish)
        if matching:
            which = f": {wish.describe()}" if wish.days else ""
            sentence = f"These times are free{which}. Which suits you?"
            return self._question(sentence, _best(matching, wish), search)
        reason = why_not(search, wish) or _nothing_free(search, wish)
        sentence = f"{reason.sentence} These are the nearest times."
        nearest = self._question(sentence, _nearest(search, wish), search)
        return Question(nearest.text, nearest.choices + (_waiting(search) if reason.may_come_free else []))

    def _question(self, sentence: str, slots: Sequence[Slot], search: Search) -> Question:
        """Ask which of these; without any the patient may wait for one, or calls."""
        if slots:
            return Question(sentence, [self.choice(slot) for slot in slots])
        nothing = f"I find no free time for this. Please call us at {rules.phone_words()}."
        if waiting := _waiting(search):
            return Question(
                f"{nothing} Or shall I write you down for the first time that comes free?", waiting
            )
        raise NotBookable(nothing)

    def more(self, situation: Situation) -> Question:
        """Offer others: as well wished for where there are any, else the nearest.

        A wish for one start has been offered, or refused, when others are asked for.
        """
        search, known = _search(situation), {choice.key for choice in situation.offered}
        wish = wish_in(situation.wish, situation)
        matching = _within(search, wish).matching(wish) if wish else search.slots
        if wish and wish.names_one_start:
            known |= {slot.key for slot in matching}
        fresh = _best([slot for slot in matching if slot.key not in known], wish)
        if wish and not fresh:
            fresh = _within(search, wish).nearest(wish, without=known)
        return Question("What about one of these?", [self.choice(slot) for slot in fresh])

    def dump(self, value: Slot) -> str:
        return value.key

    def load(self, key: str, situation: Situation) -> Slot:
        visit_type = standing(visit_type_of(situation), "When would you like to come?")
        return services.slot_from_key(visit_type, key)

    def label(self, value: Slot) -> str:
        return wording.choice(value)


def _search(situation: Situation) -> Search:
    """Return where to look: a visit that moves stays with its provider and office unless told otherwise."""
    moving, provider = situation.filled.get("appointment"), situation.filled.get("provider")
    location = situation.filled.get("location")
    if moving and "provider" not in situation.filled:
        provider, location = moving.provider, moving.location
    visit_type = standing(visit_type_of(situation), "What kind of visit do you need?")
    return Search(visit_type, situation.patient, provider, location, moving)


def _within(search: Search, wish: Wish) -> Search:
    if not wish.days:
        return search
    first, last = min(days.first for days in wish.days), max(days.last for days in wish.days)
    return replace(search, first_day=first, last_day=last)


def _nothing_free(search: Search, wish: Wish) -> Reason:
    whose = f" with {search.provider}" if search.provider else ""
    return Reason(f"Nothing is free{whose} then ({wish.describe()}).", may_come_free=True)


def _nearest(search: Search, wish: Wish) -> list[Slot]:
    """Return the nearest times to a wish; a visit that moves keeps its day sooner than its provider."""
    near, that_day = search.nearest(wish), replace(wish, hours=(), exact=None, around=None)
    if search.moving and not any(that_day.matches(slot.starts_at) for slot in near):
        near = closest(search.with_anybody().matching(that_day), wish, OFFERED) or near
    return near or search.with_anybody().nearest(wish)


def _best(slots: Sequence[Slot], wish: Wish | None) -> list[Slot]:
    if wish and wish.soonest:
        return list(slots[:OFFERED])
    if wish and (wish.exact or wish.around):
        return closest(slots, wish, OFFERED)
    return spread(slots)


def _waiting(search: Search) -> list[Choice]:
    """Return the way to the waitlist: where none of the times suits."""
    tool = registry.get(WAITLIST[0] if search.moving else WAITLIST[1])
    return [Choice("Put me on the waitlist", tool.name)] if tool and search.patient else []
