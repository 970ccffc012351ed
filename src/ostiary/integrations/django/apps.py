"""Owns the entry for INSTALLED_APPS."""

from django.apps import AppConfig
from django.core.checks import Tags, register

from ostiary.integrations.django import checks


class OstiaryConfig(AppConfig):
    """ostiary as an application of a Django project; it has no models."""

    name = "ostiary.integrations.django"
    label = "ostiary"
    verbose_name = "ostiary"

    def ready(self) -> None:
        """Register the system checks."""
        for check in checks.CHECKS:
            register(check, Tags.security)
        for check in checks.DEPLOYMENT_CHECKS:
            register(check, Tags.security, deploy=True)
