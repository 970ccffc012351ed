"""Owns the Django face of ostiary: settings, middleware, decorators, system checks.

# settings.py
INSTALLED_APPS = [..., "ostiary.integrations.django"]
MIDDLEWARE = [..., "ostiary.integrations.django.OstiaryMiddleware"]
OSTIARY = {"database": "sqlite:///auth.db", "dev": True}

# asgi.py
application = asgi(get_asgi_application())

# wsgi.py
application = wsgi(get_wsgi_application())

# views.py
@signed_in()
async def me(request: Request):
    user = await request.ostiary.user()
    return JsonResponse({"hello": user.email})
"""

from ostiary.core.access.authority import Standing
from ostiary.core.access.expression import principal, row
from ostiary.core.access.policy import Kind, Policy
from ostiary.core.access.roles import Role
from ostiary.core.accounts.accounts import Account as User
from ostiary.core.accounts.profile import Profile, ProfileField
from ostiary.core.api_keys.keys import ApiKey
from ostiary.integrations.django.asgi import asgi
from ostiary.integrations.django.configured import call, configured
from ostiary.integrations.django.current import (
    csrf_token,
    current_api_key,
    current_principal,
    current_profile,
    current_session,
    current_standing,
    current_user,
    optional_user,
)
from ostiary.integrations.django.guards import (
    rate_limit,
    requires,
    requires_fresh,
    requires_role,
    sign_in_not_required,
    signed_in,
)
from ostiary.integrations.django.here import Here, Request
from ostiary.integrations.django.middleware import OstiaryMiddleware, RequireSignIn, SecurityHeaders
from ostiary.integrations.django.wsgi import wsgi
from ostiary.integrations.host import Ostiary

__all__ = [
    "ApiKey",
    "Here",
    "Kind",
    "Ostiary",
    "OstiaryMiddleware",
    "Policy",
    "Profile",
    "ProfileField",
    "Request",
    "RequireSignIn",
    "Role",
    "SecurityHeaders",
    "Standing",
    "User",
    "asgi",
    "call",
    "configured",
    "csrf_token",
    "current_api_key",
    "current_principal",
    "current_profile",
    "current_session",
    "current_standing",
    "current_user",
    "optional_user",
    "principal",
    "rate_limit",
    "requires",
    "requires_fresh",
    "requires_role",
    "row",
    "sign_in_not_required",
    "signed_in",
    "wsgi",
]
