"""A SentencePiece tokenizer that llama.cpp's own SPM tokenizer follows token for token.

Three choices make the two agree: no text normalisation and no space put in front, a blank that is
always a token of its own (no learned piece holds one), and fixed JSON pieces as user-defined
symbols of which no two can overlap. Since a blank is never part of a word's piece, a word has the
same tokens in the message and in the answer, which makes copying it easy to learn.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import sentencepiece
from sentencepiece import sentencepiece_model_pb2

from chatbot.commands import GENERAL_COMMANDS
from chatbot.prompt import Style
from finetune.examples import ANSWER_PREFIX, Example
from finetune.tasks import ARGUMENTS, TOOLS

BLANK = "▁"
UNKNOWN_ID, EOS_ID, PAD_ID = 0, 1, 2


def symbols() -> list[str]:
    """Return the pieces that are always one token: prompt labels, command openings, JSON joints."""
    names = [*GENERAL_COMMANDS, *(tool.name for tool in TOOLS)]
    return [
        BLANK,
        *("task:", "\nasked:", "\nlast:", "\nnear:", "\npatient:", ANSWER_PREFIX),
        *(tool.name for tool in TOOLS),
        '{"commands":[',
        *(f'{{"name":"{name}","arguments":{{' for name in names),
        *(f'"{argument}":"' for argument in ARGUMENTS),
        *(f'","{argument}":"' for argument in ARGUMENTS),
        *('{"name":"', '","arguments":{', '":"', '","', '"}}]}', '"}},', "}}]}", "}},"),
    ]


def train(messages: Iterable[str], path: Path, *, vocabulary: int) -> "Tokenizer":
    """Learn the pieces from patients' messages and write the SentencePiece model to `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        sentencepiece.SentencePieceTrainer.Train(
            sentence_iterator=iter(messages),
            model_writer=stream,
            model_type="bpe",
            vocab_size=vocabulary,
            hard_vocab_limit=False,
            byte_fallback=True,
            split_digits=True,
            character_coverage=0.9995,
            normalization_rule_name="identity",
            add_dummy_prefix=False,
            remove_extra_whitespaces=False,
            user_defined_symbols=symbols(),
            unk_id=UNKNOWN_ID,
            eos_id=EOS_ID,
            pad_id=PAD_ID,
            bos_id=-1,
            num_threads=2,
            minloglevel=2,
        )
    return Tokenizer(path)


class Tokenizer:
    """Text to ids and back, and the examples' ids as the model is trained on them."""

    def __init__(self, path: Path) -> None:
        self._proto = path.read_bytes()
        self._processor = sentencepiece.SentencePieceProcessor(model_proto=self._proto)

    @classmethod
    def of(cls, proto: bytes) -> "Tokenizer":
        """Return the tokenizer in a serialised SentencePiece model."""
        tokenizer = cls.__new__(cls)
        tokenizer._proto = proto
        tokenizer._processor = sentencepiece.SentencePieceProcessor(model_proto=proto)
        return tokenizer

    def __len__(self) -> int:
        return self._processor.vocab_size()

    def encode(self, text: str) -> list[int]:
        return self._processor.encode(text)

    def decode(self, ids: list[int]) -> str:
        return self._processor.decode(ids)

    def encode_examples(
        self, examples: Sequence[Example], style: Style
    ) -> Iterator[tuple[list[int], list[int]]]:
        """Yield the ids of each prompt, and those of its answer with the end-of-text token."""
        prompts = self._processor.encode([example.prompt_in(style) for example in examples])
        answers = self._processor.encode([example.answer for example in examples])
        return ((asked, [*said, EOS_ID]) for asked, said in zip(prompts, answers, strict=True))

    def pieces(self) -> list[tuple[str, float, int]]:
        """Return each piece with its score and SentencePiece type, in the order of the ids."""
        proto = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]
        proto.ParseFromString(self._proto)
        return [(piece.piece, piece.score, piece.type) for piece in proto.pieces]
