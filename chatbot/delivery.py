"""A reply in its channel's form: the portal shows it from its row, a phone gets short numbered lines."""

import re

from chatbot.models import ChatMessage, Conversation
from messaging import services as messaging

TEXT_LIMIT = 320
"""Characters of a text message that is not urgent: two segments."""


def deliver(message: ChatMessage) -> None:
    """Queue the text message of a reply; on the portal its row is all there is to do."""
    if message.channel != Conversation.Channel.SMS:
        return
    messaging.reply(to=message.conversation.phone, body=as_text(message), reason=f"chat:{message.pk}")


def as_text(message: ChatMessage) -> str:
    """Return the reply as a text message: choices as numbered lines, sources by name."""
    lines = [f"{number}) {choice['label']}" for number, choice in enumerate(message.choices, start=1)]
    lines += [f"({source['title']})" for source in message.sources[:1]]
    links = [card["url"] for card in message.cards if str(card.get("url", "")).startswith("http")]
    rest = "\n".join([*lines, *(link for link in links if link not in message.text)])
    text = message.text if message.urgent else _shortened(message.text, TEXT_LIMIT - len(rest) - 1)
    return f"{text}\n{rest}".strip()


def _shortened(text: str, limit: int) -> str:
    """Cut at the end of a sentence; the question at the end, and a first sentence, are kept whole."""
    if len(text) <= limit:
        return text
    said, _, last = text.rpartition("\n")
    if said and last.endswith("?"):
        return f"{_shortened(said, limit - len(last) - 1)}\n{last}"
    sentences = re.split(r"(?<=[.!?])\s+", text)
    kept = sentences[0]
    for sentence in sentences[1:]:
        if len(kept) + len(sentence) + 1 > limit:
            break
        kept += f" {sentence}"
    return kept
