"""What the assistant knows: the practice's documents, searched by meaning and by words.

The database holds the texts and who may read them, Chroma only vectors under the ids of passages.
Losing Chroma loses nothing: search goes on by words, and the sweep fills it again.
"""

import logging
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.urls import NoReverseMatch, reverse

from chatbot import backends, knowledge_tasks, passages
from chatbot.backends.base import ModelRefused, ModelUnavailable
from chatbot.lexical import WordIndex, words
from chatbot.models import Document, Passage
from chatbot.vectors import Collection as Vectors
from chatbot.vectors import VectorsUnavailable
from eyecare import clock

logger = logging.getLogger(__name__)

INDEX_SECONDS = 30.0
"""How long the embedder may take over the passages of one document."""

QUESTION_LIMIT = 400
"""Characters of a question that are searched for."""

SENTENCE_DEPTH = 48
"""Sentences that the search by meaning contributes."""

PASSAGE_DEPTH = 12
"""Passages that the search by words contributes."""

WORD_WEIGHT = 0.2
"""What sharing all the words of a question adds to a cosine similarity; chosen by measurement."""

WORDS_ALONE_FLOOR = 0.6
"""Share of a question's words that a passage must hold where vectors cannot be had."""

DEGRADED = (VectorsUnavailable, ModelUnavailable, ModelRefused)
"""What leaves us with the search by words."""


@dataclass(frozen=True)
class Hit:
    """A passage that was found.

    `similarity` is the cosine of its nearest sentence, `sentence` the position of that; both are
    None where vectors could not be had or did not find it. `overlap` is the share of the
    question's words it holds, weighted by their rarity; `word_score` its BM25, which decides ties.
    """

    passage: Passage
    similarity: float | None
    overlap: float
    sentence: int | None = None
    word_score: float = 0.0

    @property
    def score(self) -> float:
        """How near it is to the question: about 0 for a stranger, above 1 for its twin."""
        return (self.similarity or 0.0) + WORD_WEIGHT * self.overlap


@dataclass(frozen=True)
class Source:
    """Where a quotation stands."""

    title: str
    heading: str
    slug: str

    @property
    def link(self) -> str:
        """The page of the document, or "" where the portal shows none."""
        try:
            return reverse("chatbot:document", args=[self.slug])
        except NoReverseMatch:
            return ""


@dataclass(frozen=True)
class Answer:
    """A passage's own words that answer a question; nothing in them is ours."""

    text: str
    source: Source
    passage: Passage
    score: float


def write(document: Document) -> Document:
    """Save a document that was written or changed; its vectors follow within a sweep."""
    document.body = passages.clean(document.body)
    document.changed_at = clock.now()
    document.save()
    knowledge_tasks.sweep_documents.delay_on_commit()
    return document


def index(document: Document) -> int:
    """Cut the document into passages and store their vectors; returns how many passages it has.

    The passages are written whatever happens, so that words find them; the document stays stale
    until its vectors stand too. Raises VectorsUnavailable, ModelUnavailable or ModelRefused.
    """
    seen = document.changed_at
    before = {key for passage in document.passages.all() for key in _vector_ids(passage)}
    written = _write_passages(document)
    _store_vectors(document, written, before)
    Document.objects.filter(pk=document.pk, changed_at=seen).update(indexed_at=clock.now())
    return len(written)


def _write_passages(document: Document) -> list[Passage]:
    """Make the stored passages those of the text as it is; unchanged ones keep their id."""
    pieces = passages.split(document.body) if document.is_published else []
    wanted = [
        Passage(
            id=_passage_id(document, position, piece),
            document=document,
            position=position,
            heading=piece.heading,
            text=piece.text,
        )
        for position, piece in enumerate(pieces)
    ]
    with transaction.atomic():
        document.passages.exclude(pk__in=[passage.pk for passage in wanted]).delete()
        Passage.objects.bulk_create(wanted, ignore_conflicts=True)
    return wanted


def _passage_id(document: Document, position: int, piece: passages.Piece) -> uuid.UUID:
    """Derive the id from the words: another text is another passage with another vector."""
    return uuid.uuid5(document.pk, "\n".join([document.title, str(position), piece.heading, piece.text]))


def _store_vectors(document: Document, written: Sequence[Passage], before: set[str]) -> None:
    """Store one vector for each sentence: a question is nearer to a sentence than to a page."""
    ids = [key for passage in written for key in _vector_ids(passage)]
    vectors = _embed([text for passage in written for text in _sentences_in_context(passage)])
    for audience in Document.Audience.values:
        belonging = ids if audience == document.audience else []
        Vectors(audience).upsert(belonging, vectors)
        Vectors(audience).delete(sorted({*before, *ids} - set(belonging)))


def _vector_ids(passage: Passage) -> list[str]:
    return [f"{passage.pk}:{position}" for position, _ in enumerate(passages.sentences(passage.text))]


def _sentences_in_context(passage: Passage) -> list[str]:
    """Return the sentences, each under its title: "from 9 to 5" alone says nothing of whom."""
    return [f"{_title(passage)}. {sentence}" for sentence in passages.sentences(passage.text)]


def _embed(texts: Sequence[str]) -> list[list[float]]:
    return backends.embedder().embed(texts, deadline_seconds=INDEX_SECONDS) if texts else []


def _title(passage: Passage) -> str:
    return ". ".join(part for part in (passage.document.title, passage.heading) if part)


def remove(document: Document) -> None:
    """Take a document out of everything that is searched; nothing of it is found from now on.

    Its vectors, which say nothing without the passages, follow within a sweep.
    """
    document.passages.all().delete()
    knowledge_tasks.sweep_documents.delay_on_commit()


def reindex_all() -> int:
    """Index every document again; returns how many passages there are. Raises like `index`."""
    return sum(index(document) for document in Document.objects.all())


def sweep() -> int:
    """Index what changed, and repair what Chroma lost; returns how many documents were indexed.

    Raises like `index`; what was not done is found again by the next sweep. The words of every
    document are written first, so that they are found while vectors cannot be had.
    """
    for document in Document.objects.stale():
        _write_passages(document)
    reconcile()
    return sum(1 for document in Document.objects.stale() if index(document) >= 0)


def reconcile() -> int:
    """Make Chroma hold the published sentences and nothing else; returns how many ids differed.

    Vectors without a sentence are deleted; a document whose vectors are missing becomes stale, for
    the sweep to index. Raises VectorsUnavailable.
    """
    differing = 0
    for audience in Document.Audience.values:
        collection = Vectors(audience)
        stored, wanted = collection.ids(), _ids_for(audience)
        collection.delete(sorted(stored - wanted))
        missing = {key.partition(":")[0] for key in wanted - stored}
        Document.objects.filter(passages__pk__in=missing).update(indexed_at=None)
        differing += len(stored ^ wanted)
    return differing


def _ids_for(audience: str) -> set[str]:
    owned = Passage.objects.filter(document__audience=audience, document__is_published=True)
    return {key for passage in owned for key in _vector_ids(passage)}


def search(
    question: str, *, audience: str, within: Collection[uuid.UUID] | None = None, limit: int = 5
) -> list[Hit]:
    """Return the passages nearest to the question that this audience may read, best first.

    `within` holds the keys of the only documents that are searched; None searches all of them.
    What is near by meaning or shares words is scored by both; without vectors, by words alone.
    Each passage is read again from the database with the audience's rights. Raises ValueError for
    an empty or unknown audience: there is no search over everything.
    """
    question = passages.clean(question)[:QUESTION_LIMIT].strip()
    readable = _readable_passages(audience, within)
    word_index = _word_index(tuple(readable.order_by("pk").values_list("pk", flat=True)))
    among = None if within is None else [key for passage in readable for key in _vector_ids(passage)]
    near = _nearest_sentences(question, audience, among) if question else {}
    shared = dict(word_index.search(question, PASSAGE_DEPTH))
    found = readable.select_related("document").in_bulk({*near, *shared} & word_index.counts.keys())
    hits = [
        Hit(
            passage=passage,
            similarity=near[key].similarity if key in near else None,
            overlap=word_index.overlap(question, key),
            sentence=near[key].position if key in near else None,
            word_score=shared.get(key, 0.0),
        )
        for key, passage in found.items()
    ]
    return sorted(hits, key=lambda hit: (-hit.score, -hit.word_score))[:limit]


def _readable_passages(audience: str, within: Collection[uuid.UUID] | None) -> QuerySet[Passage]:
    if not audience:
        raise ValueError("A search needs an audience.")
    readable = Document.readable(audience)
    found = Passage.objects.filter(document__is_published=True, document__audience__in=readable)
    return found if within is None else found.filter(document__in=within)


@lru_cache(maxsize=8)
def _word_index(keys: tuple[uuid.UUID, ...]) -> WordIndex[uuid.UUID]:
    """Return the word index of these passages; their ids change with their texts, so it can be kept."""
    found = Passage.objects.filter(pk__in=keys).select_related("document")
    return WordIndex.of({passage.pk: f"{_title(passage)} {passage.text}" for passage in found})


@dataclass(frozen=True)
class _Sentence:
    position: int
    similarity: float


def _nearest_sentences(
    question: str, audience: str, among: Sequence[str] | None
) -> dict[uuid.UUID, _Sentence]:
    """Return the best sentence of each passage that is near; nothing where vectors cannot be had."""
    try:
        vector = backends.embedder().embed([question])[0]
        neighbours = [
            neighbour
            for readable in Document.readable(audience)
            for neighbour in Vectors(readable).nearest(vector, SENTENCE_DEPTH, among)
        ]
    except DEGRADED as problem:
        logger.warning("searching by words alone: %s", type(problem).__name__)
        return {}
    best: dict[uuid.UUID, _Sentence] = {}
    for neighbour in sorted(neighbours, key=lambda neighbour: -neighbour.similarity):
        key, _, position = neighbour.id.partition(":")
        best.setdefault(uuid.UUID(key), _Sentence(int(position), neighbour.similarity))
    return best


def answer(question: str, *, audience: str, within: Collection[uuid.UUID] | None = None) -> Answer | None:
    """Return the words of a document that answer the question, or None: then we do not know.

    Raises ValueError like `search`.
    """
    hits = search(question, audience=audience, within=within)
    if not hits or not _is_near_enough(hits):
        return None
    best = hits[0]
    document = best.passage.document
    return Answer(
        text=_quoted(question, best),
        source=Source(document.title, best.passage.heading, document.slug),
        passage=best.passage,
        score=best.score,
    )


def _is_near_enough(hits: Sequence[Hit]) -> bool:
    """Say whether the best hit answers: by its score, or by its words where that is all we have."""
    if all(hit.similarity is None for hit in hits):
        return hits[0].overlap >= WORDS_ALONE_FLOOR
    return hits[0].score >= settings.KNOWLEDGE_FLOOR


def _quoted(question: str, hit: Hit) -> str:
    """Return the sentences of the passage around the one that is nearest to the question."""
    parts = passages.sentences(hit.passage.text)
    if hit.sentence is not None and hit.sentence < len(parts):
        return passages.quote(parts, best=hit.sentence)
    asked = set(words(question))
    shared = [len(asked & set(words(part))) for part in parts]
    return passages.quote(parts, best=shared.index(max(shared)))
