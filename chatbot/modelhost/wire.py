"""The OpenAI shapes that go over the wire, read strictly and written plainly."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chatbot.modelhost.answers import Prompt, Tally
from chatbot.modelhost.schema import any_object, schema_grammar

OUTPUT_LIMIT = 1024
"""Tokens of an answer, whatever the caller asks for."""

OUTPUT_DEFAULT = 256
INPUT_LIMIT = 64_000
"""Characters of all messages together."""

WORD_LIMIT = 200
"""Characters of the name of a model or a conversation."""

EMBEDDING_LIMIT = 256
"""Texts of one embeddings request."""

_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
_UNSUPPORTED = ("tools", "functions", "tool_choice", "function_call", "logprobs", "stop", "logit_bias")


class BadRequest(Exception):
    """The request cannot be understood or asks for what this host does not do."""

    def __init__(self, message: str, *, field: str | None = None, code: str = "invalid_request") -> None:
        super().__init__(message)
        self.field = field
        self.code = code


class WrongKey(Exception):
    """The caller does not have the key of this host."""


@dataclass(frozen=True)
class ChatRequest:
    """A chat completion request that was read."""

    prompt: Prompt
    is_stream: bool
    model: str = ""
    caller: str = ""


def read_chat(body: Mapping[str, Any]) -> ChatRequest:
    """Read the body of /v1/chat/completions; raises BadRequest or GrammarRefused."""
    for field in _UNSUPPORTED:
        if body.get(field):
            raise BadRequest(f"This host does not support {field!r}.", field=field)
    if body.get("n") not in (None, 1):
        raise BadRequest("This host gives one answer a request.", field="n")
    prompt = Prompt(
        messages=_messages(body.get("messages")),
        grammar=_grammar(body),
        max_tokens=min(_max_tokens(body), OUTPUT_LIMIT),
        temperature=_number(body, "temperature", default=0.0, most=2.0),
        seed=int(_number(body, "seed", default=0, most=2**31)),
    )
    is_stream = body.get("stream") is True
    return ChatRequest(prompt, is_stream, model=_word(body, "model"), caller=_word(body, "user"))


def read_name(body: Mapping[str, Any]) -> str:
    """Read the body of /v1/models/load; raises BadRequest."""
    if name := _word(body, "name"):
        return name
    raise BadRequest("name must say which model to load.", field="name")


def _word(body: Mapping[str, Any], field: str) -> str:
    """Return a short text, or an empty one where there is none."""
    value = body.get(field)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > WORD_LIMIT:
        raise BadRequest(f"{field} must be text of at most {WORD_LIMIT} characters.", field=field)
    return value


def _messages(listed: object) -> list[dict[str, str]]:
    if not isinstance(listed, list) or not listed:
        raise BadRequest("messages must be a list with at least one message.", field="messages")
    messages = [_message(entry) for entry in listed]
    if sum(len(message["content"]) for message in messages) > INPUT_LIMIT:
        raise BadRequest(f"The messages are longer than {INPUT_LIMIT} characters.", field="messages")
    return messages


def _message(entry: object) -> dict[str, str]:
    role = entry.get("role") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or role not in _ROLES:
        raise BadRequest(f"A message's role must be one of {', '.join(_ROLES)}.", field="messages")
    return {"role": _ROLES[role], "content": _text(entry.get("content"))}


def _text(content: object) -> str:
    """Return the text of a message, written as a string or as a list of text parts."""
    if isinstance(content, list) and all(isinstance(part, dict) for part in content):
        content = "".join(str(part.get("text")) if part.get("type") == "text" else "\0" for part in content)
    if not isinstance(content, str) or "\0" in content:
        raise BadRequest("A message's content must be text.", field="messages")
    return content


def _grammar(body: Mapping[str, Any]) -> str | None:
    """Return the grammar that was asked for: as `grammar`, or as OpenAI's `response_format`."""
    grammar = body.get("grammar")
    if grammar is not None:
        if not isinstance(grammar, str):
            raise BadRequest("grammar must be text in GBNF.", field="grammar")
        return grammar
    wanted = body.get("response_format") or {"type": "text"}
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if kind == "text":
        return None
    if kind == "json_object":
        return schema_grammar(wanted["schema"]) if "schema" in wanted else any_object()
    if kind != "json_schema":
        raise BadRequest("response_format must be text, json_object or json_schema.", field="response_format")
    return schema_grammar(_schema(wanted.get("json_schema")))


def _schema(wrapper: object) -> Mapping[str, Any]:
    schema = wrapper.get("schema") if isinstance(wrapper, dict) else None
    if not isinstance(schema, dict):
        raise BadRequest("json_schema must hold a schema.", field="response_format")
    return schema


def _max_tokens(body: Mapping[str, Any]) -> int:
    field = "max_completion_tokens" if body.get("max_completion_tokens") is not None else "max_tokens"
    return int(_number(body, field, default=OUTPUT_DEFAULT, least=1))


def _number(
    body: Mapping[str, Any], field: str, *, default: float, least: float = 0, most: float = 1e9
) -> float:
    value = body.get(field)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise BadRequest(f"{field} must be a number from {least:g} to {most:g}.", field=field)
    return value


def read_embeddings(body: Mapping[str, Any]) -> list[str]:
    """Read the body of /v1/embeddings; raises BadRequest."""
    texts = body.get("input")
    texts = [texts] if isinstance(texts, str) else texts
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise BadRequest("input must be a text or a list of texts.", field="input")
    if len(texts) > EMBEDDING_LIMIT or sum(map(len, texts)) > 10 * INPUT_LIMIT:
        raise BadRequest(f"input may hold {EMBEDDING_LIMIT} texts at most.", field="input")
    if body.get("encoding_format") not in (None, "float"):
        raise BadRequest("encoding_format must be float.", field="encoding_format")
    return texts


def completion(identity: str, created: int, model: str, text: str, tally: Tally) -> dict[str, Any]:
    """Return a whole answer."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text},
        "finish_reason": tally.finish_reason,
    }
    head = {"id": identity, "object": "chat.completion", "created": created, "model": model}
    return {**head, "choices": [choice], "usage": usage(tally)}


def chunk(identity: str, created: int, model: str, text: str, finish_reason: str | None = None) -> str:
    """Return one event of a streamed answer."""
    delta = {"content": text} if text else {}
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    head = {"id": identity, "object": "chat.completion.chunk", "created": created, "model": model}
    return event({**head, "choices": [choice]})


def event(content: Mapping[str, Any]) -> str:
    """Return a server-sent event."""
    return f"data: {json.dumps(content, ensure_ascii=False)}\n\n"


def usage(tally: Tally) -> dict[str, Any]:
    """Return what an answer cost."""
    return {
        "prompt_tokens": tally.prompt_tokens,
        "completion_tokens": tally.completion_tokens,
        "total_tokens": tally.prompt_tokens + tally.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": tally.cached_tokens},
    }


def embeddings(model: str, vectors: Sequence[Sequence[float]]) -> dict[str, Any]:
    """Return vectors in the order of their texts."""
    listed = [
        {"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)
    ]
    return {
        "object": "list",
        "model": model,
        "data": listed,
        "usage": {"prompt_tokens": 0, "total_tokens": 0},
    }


def error(message: str, *, kind: str, code: str, field: str | None = None) -> dict[str, Any]:
    """Return an error."""
    return {"error": {"message": message, "type": kind, "code": code, "param": field}}
