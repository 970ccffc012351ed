"""THE list of ribs. Their subscribers react in its order, and their ways of a second step are offered in it."""

from typing import Final

from ostiary.features.account import manifest as account
from ostiary.features.activity import manifest as activity
from ostiary.features.alerts import manifest as alerts
from ostiary.features.api_keys import manifest as api_keys
from ostiary.features.backup_codes import manifest as backup_codes
from ostiary.features.claim import manifest as claim
from ostiary.features.deletion import manifest as deletion
from ostiary.features.email_code import manifest as email_code
from ostiary.features.email_verification import manifest as email_verification
from ostiary.features.emails import manifest as emails
from ostiary.features.export import manifest as export
from ostiary.features.factors import manifest as factors
from ostiary.features.keys import manifest as keys
from ostiary.features.magic_link import manifest as magic_link
from ostiary.features.my_sessions import manifest as my_sessions
from ostiary.features.network_rules import manifest as network_rules
from ostiary.features.passkeys import manifest as passkeys
from ostiary.features.password import manifest as password
from ostiary.features.registration import manifest as registration
from ostiary.features.risk import manifest as risk
from ostiary.features.roles import manifest as roles
from ostiary.features.signin import manifest as signin
from ostiary.features.tokens import manifest as tokens
from ostiary.features.totp import manifest as totp
from ostiary.features.trusted_devices import manifest as trusted_devices
from ostiary.http.rib import Rib

RIBS: Final[tuple[Rib, ...]] = (
    signin.RIB,
    tokens.RIB,
    registration.RIB,
    email_verification.RIB,
    passkeys.RIB,
    totp.RIB,
    email_code.RIB,
    password.RIB,
    magic_link.RIB,
    backup_codes.RIB,
    factors.RIB,
    trusted_devices.RIB,
    my_sessions.RIB,
    account.RIB,
    emails.RIB,
    activity.RIB,
    risk.RIB,
    alerts.RIB,
    roles.RIB,
    api_keys.RIB,
    network_rules.RIB,
    export.RIB,
    deletion.RIB,
    claim.RIB,
    keys.RIB,
)
