"""The project's own table."""

from __future__ import annotations

import secrets  # noqa: TID251 - only ostiary itself takes chance from its World
from typing import Any

from django.db import models
from django.utils import timezone


def new_id() -> str:
    """An id that nobody guesses."""
    return secrets.token_hex(16)


class Note(models.Model):
    """One note.

    `author_id` is the `id` of an ostiary account, kept by value: ostiary owns its SQLite file, and a foreign key cannot
    lead into another file. Every question names the author, so nobody reaches somebody else's notes by mistake.
    """

    id: models.CharField[str, str] = models.CharField(primary_key=True, max_length=32, default=new_id)
    author_id: models.TextField[str, str] = models.TextField(db_index=True)
    title: models.CharField[str, str] = models.CharField(max_length=200)
    body: models.TextField[str, str] = models.TextField(blank=True, max_length=20_000)
    created_at: models.DateTimeField[Any, Any] = models.DateTimeField(default=timezone.now)

    class Meta:
        """The newest first."""

        ordering = ("-created_at",)

    def __str__(self) -> str:
        return self.title

    def as_json(self) -> dict[str, str]:
        """What the API says about it."""
        return {
            "id": self.id,
            "author_id": self.author_id,
            "title": self.title,
            "body": self.body,
            "created_at": self.created_at.isoformat(),
        }
