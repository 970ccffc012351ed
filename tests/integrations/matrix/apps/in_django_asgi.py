"""The matrix's Django project under ASGI."""

from django.core.asgi import get_asgi_application

from ostiary.integrations.django import asgi
from tests.integrations.matrix.apps import django_site  # noqa: F401 - configures Django

app = asgi(get_asgi_application())
