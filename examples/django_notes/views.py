"""A small notes application. ostiary registers people and signs them in; everything about notes is here.

make notes-django
"""

import json
import logging
import secrets  # noqa: TID251 - only ostiary itself takes chance from its World
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.decorators import method_decorator
from django.views import View

from examples.django_notes.models import Note
from ostiary.integrations.django import (
    Request,
    current_principal,
    current_user,
    optional_user,
    requires_fresh,
    signed_in,
)

log = logging.getLogger("notes")


# Pages.


def welcome(request: HttpRequest) -> HttpResponse:
    """What everybody sees."""
    return page(request, "welcome.html", user=optional_user(request))


@signed_in()
def overview(request: HttpRequest) -> HttpResponse:
    """My notes. A browser that is not signed in is led to sign in, and then comes back."""
    user = current_user(request)
    return page(request, "notes.html", user=user, notes=Note.objects.filter(author_id=user.id))


def page(request: HttpRequest, template: str, **context: object) -> HttpResponse:
    """A page whose policy lets only its own script and style run."""
    nonce = secrets.token_urlsafe(16)
    answer = render(request, template, {**context, "nonce": nonce})
    answer["Content-Security-Policy"] = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    answer["Cache-Control"] = "no-store"
    return answer


# The API. `signed_in` answers 401 before anything below it runs, and 403 to a call without the CSRF token.


class Draft(forms.ModelForm):  # type: ignore[type-arg]  # subscripting it would need django-stubs-ext at run time
    """What a caller may say about a note; its author is nobody's to choose."""

    class Meta:
        """Two fields."""

        model = Note
        fields = ("title", "body")


@method_decorator(signed_in(), name="dispatch")
class Notes(View):
    """All of my notes."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """My notes, the newest first."""
        mine = Note.objects.filter(author_id=current_user(request).id)
        return JsonResponse([note.as_json() for note in mine], safe=False)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Write a note."""
        try:
            given: dict[str, Any] = dict(json.loads(request.body))
        except (TypeError, ValueError):
            return JsonResponse({"detail": "The body is no JSON object."}, status=422)
        draft = Draft(given)
        if given.keys() - {"title", "body"} or not draft.is_valid():
            return JsonResponse({"detail": "A note has a title, and a body."}, status=422)
        note = draft.save(commit=False)
        note.author_id = current_user(request).id
        note.save()
        return JsonResponse(note.as_json(), status=201)

    @method_decorator(requires_fresh(15))
    def delete(self, request: HttpRequest) -> HttpResponse:
        """Delete all my notes; only within 15 minutes of signing in, should the computer have been left unlocked."""
        who = current_principal(request)
        count, _ = Note.objects.filter(author_id=who.account_id).delete()
        log.info("%s, signed in by %s, deleted all %d notes", who.account_id, "+".join(who.amr), count)
        return JsonResponse({"deleted": count})


class OneNote(View):
    """One of my notes. Somebody else's is 404 and not 403, so that ids tell nothing. Its views are asynchronous."""

    @method_decorator(signed_in())
    async def get(self, request: Request, note_id: str) -> HttpResponse:
        """Read a note."""
        return JsonResponse((await self._own(request, note_id)).as_json())

    @method_decorator(signed_in())
    async def delete(self, request: Request, note_id: str) -> HttpResponse:
        """Delete a note."""
        await (await self._own(request, note_id)).adelete()
        return HttpResponse(status=204)

    async def _own(self, request: Request, note_id: str) -> Note:
        user = await request.ostiary.user()
        note = await Note.objects.filter(author_id=user.id, id=note_id).afirst()
        if note is None:
            raise Http404("There is no such note.")
        return note
