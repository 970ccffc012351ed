"""Owns what templates see of ostiary: the variable `ostiary`, by a context processor.

It has one name of its own, since `user` is Django's word for Django's users, and `csrf_token` for Django's token.
"""

from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ostiary.core.accounts.accounts import Account
from ostiary.http.csrf import FIELD
from ostiary.integrations.django.current import csrf_token, optional_user


class Shown:
    """What templates may ask.

    Args:
        request: Django's.
    """

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @property
    def user(self) -> Account | None:
        """The account that is signed in, or None."""
        return optional_user(self._request)

    @property
    def csrf_token(self) -> str:
        """ostiary's CSRF token, for scripts; "" for whoever is not signed in."""
        return csrf_token(self._request)

    @property
    def csrf_input(self) -> SafeString:
        """The hidden field with it, for forms."""
        return format_html('<input type="hidden" name="{}" value="{}">', FIELD, self.csrf_token)


def ostiary(request: HttpRequest) -> dict[str, Shown]:
    """The context processor: ``"ostiary.integrations.django.context.ostiary"``."""
    return {"ostiary": Shown(request)}
