"""The matrix's Django project under WSGI."""

from django.core.wsgi import get_wsgi_application

from ostiary.integrations.django import wsgi
from tests.integrations.matrix.apps import django_site  # noqa: F401 - configures Django

app = wsgi(get_wsgi_application())
