"""What the assistant knows: texts of the practice, cut into passages."""

import uuid
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from eyecare import clock


class DocumentQuerySet(models.QuerySet["Document"]):
    def published(self) -> Self:
        return self.filter(is_published=True)

    def readable_by(self, audience: str) -> Self:
        """Return what this audience may read; an unknown audience raises ValueError."""
        return self.published().filter(audience__in=Document.readable(audience))

    def stale(self) -> Self:
        """Return those whose vectors do not match their text yet."""
        return self.filter(Q(indexed_at=None) | Q(indexed_at__lt=F("changed_at")))


class Document(models.Model):
    """A text of the practice that the assistant may quote."""

    class Audience(models.TextChoices):
        EVERYONE = "everyone", _("everyone")
        PATIENTS = "patients", _("signed-in patients")
        STAFF = "staff", _("staff only")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    title = models.CharField(max_length=120, unique=True)
    slug = models.SlugField(max_length=120, unique=True)
    body = models.TextField(help_text="Plain text or Markdown; headings split it.")
    audience = models.CharField(max_length=10, choices=Audience, default=Audience.EVERYONE)
    is_published = models.BooleanField(default=True)
    reviewed_on = models.DateField(null=True, blank=True)
    changed_at = models.DateTimeField(default=clock.now)
    indexed_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = DocumentQuerySet.as_manager()

    class Meta:
        ordering = ["title"]

    def __str__(self) -> str:
        return self.title

    @staticmethod
    def readable(audience: str) -> list[str]:
        """Return the audiences whose documents this one may read, itself included."""
        order = [choice.value for choice in Document.Audience]
        return order[: order.index(audience) + 1]


class Passage(models.Model):
    """A piece of a document, of the size that answers a question; its vector stands in Chroma."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="passages")
    position = models.PositiveSmallIntegerField()
    heading = models.CharField(max_length=160, blank=True)
    text = models.TextField()

    class Meta:
        ordering = ["document", "position"]
        constraints = [
            models.UniqueConstraint(fields=["document", "position"], name="one_passage_for_each_position")
        ]

    def __str__(self) -> str:
        return f"{self.document} §{self.position}"
