"""`next_step` as a table of cases."""

from datetime import datetime
from typing import Any

import pytest

from ostiary.core.signin.steps import Ask, Complete, Enrol, Facts, Policy, Refuse, next_step
from ostiary.core.signin.watch import Measure
from ostiary.core.signin.ways import Proof
from ostiary.kernel.world import from_micros

AT = from_micros(0)
SOON, NOW = from_micros(1), AT
PASSWORD = Proof("pwd", AT, "password")
WORD = Proof("otp", AT, "word")
SIGN = Proof("otp", AT, "sign")
PASSKEY = Proof("hwk", AT, "passkey", is_multi_factor=True)
LINK = Proof("email", AT, "link", mailbox="a@example.com")
MAIL_CODE = Proof("email", AT, "mail_code", mailbox="a@example.com")
OTHER_MAIL_CODE = Proof("email", AT, "mail_code", mailbox="b@example.com")
TELL, ASK, NEVER = Measure.NOTIFY, Measure.ASK, Measure.REFUSE
DEMANDING, EASY = Policy(require_verified_email=True), Policy(require_verified_email=False)


def facts(
    *proofs: Proof,
    factors: tuple[str, ...] = (),
    active: bool = True,
    verified: bool = True,
    needed: datetime | None = None,
    caution: Measure = Measure.ALLOW,
    trusted: str | None = None,
) -> Facts:
    enrollable = ("word", "sign")
    return Facts(
        active, verified, proofs, factors, NOW, needed, enrollable, caution=caution, trusted_device=trusted
    )


@pytest.mark.parametrize(
    ("given", "policy", "expected"),
    [
        (facts(), DEMANDING, "invalid_credentials"),
        (facts(factors=("word",)), DEMANDING, "invalid_credentials"),
        (facts(PASSWORD, active=False), DEMANDING, "invalid_credentials"),
        # whether an address is verified is not told about an account that may not be used
        (facts(PASSWORD, active=False, verified=False), DEMANDING, "invalid_credentials"),
        (facts(PASSWORD, verified=False), DEMANDING, "email_not_verified"),
        (facts(PASSWORD, factors=("word",), verified=False), DEMANDING, "email_not_verified"),
        (facts(PASSKEY, verified=False), DEMANDING, "email_not_verified"),
        (facts(PASSWORD, verified=False), EASY, Complete(("pwd",), "1")),
        (facts(PASSWORD), DEMANDING, Complete(("pwd",), "1")),
        (facts(LINK), DEMANDING, Complete(("email",), "1")),
        (facts(PASSWORD, factors=("word",)), DEMANDING, Ask(("word",))),
        (facts(PASSWORD, factors=("word", "sign")), DEMANDING, Ask(("word", "sign"))),
        (facts(PASSWORD, WORD, factors=("word",)), DEMANDING, Complete(("pwd", "otp", "mfa"), "2")),
        (facts(WORD, SIGN, factors=("word", "sign")), DEMANDING, Complete(("otp", "mfa"), "2")),
        (facts(PASSKEY), DEMANDING, Complete(("hwk", "mfa"), "2")),
        (facts(PASSKEY, factors=("word",)), DEMANDING, Complete(("hwk", "mfa"), "2")),
        # the same way or factor never counts twice
        (facts(PASSWORD, PASSWORD, factors=("word",)), DEMANDING, Ask(("word",))),
        (facts(WORD, factors=("word", "sign")), DEMANDING, Ask(("sign",))),
        (facts(WORD, WORD, factors=("word",)), DEMANDING, "invalid_credentials"),
        # nor does the same mailbox
        (facts(LINK, MAIL_CODE, factors=("mail_code", "word")), DEMANDING, Ask(("word",))),
        (facts(LINK, MAIL_CODE, factors=("mail_code",)), DEMANDING, "invalid_credentials"),
        (facts(LINK, MAIL_CODE), DEMANDING, Complete(("email",), "1")),
        (facts(LINK, OTHER_MAIL_CODE, factors=("mail_code",)), DEMANDING, Complete(("email", "mfa"), "2")),
        (
            facts(PASSWORD, MAIL_CODE, factors=("mail_code",)),
            DEMANDING,
            Complete(("pwd", "email", "mfa"), "2"),
        ),
        # a factor is needed: at once, later, or there already
        (facts(needed=NOW), DEMANDING, "invalid_credentials"),
        (facts(PASSWORD, active=False, needed=NOW), DEMANDING, "invalid_credentials"),
        (facts(PASSWORD, verified=False, needed=NOW), DEMANDING, "email_not_verified"),
        (facts(PASSWORD, needed=NOW), DEMANDING, Enrol(("word", "sign"))),
        (facts(PASSWORD, PASSWORD, needed=NOW), DEMANDING, Enrol(("word", "sign"))),
        (facts(LINK, MAIL_CODE, needed=NOW), DEMANDING, Enrol(("word", "sign"))),
        (facts(PASSWORD, needed=SOON), DEMANDING, Complete(("pwd",), "1", SOON)),
        (facts(PASSWORD, factors=("word",), needed=SOON), DEMANDING, Ask(("word",))),
        (facts(PASSWORD, factors=("word",), needed=NOW), DEMANDING, Ask(("word",))),
        (
            facts(PASSWORD, WORD, factors=("word",), needed=NOW),
            DEMANDING,
            Complete(("pwd", "otp", "mfa"), "2"),
        ),
        (facts(PASSKEY, needed=NOW), DEMANDING, Complete(("hwk", "mfa"), "2")),
        # something is unusual: told of, asked about, or too much
        (facts(PASSWORD, caution=TELL), DEMANDING, Complete(("pwd",), "1")),
        (facts(PASSWORD, caution=ASK), DEMANDING, "sign_in_suspicious"),
        (facts(PASSWORD, factors=("word",), caution=ASK), DEMANDING, Ask(("word",))),
        (
            facts(PASSWORD, WORD, factors=("word",), caution=ASK),
            DEMANDING,
            Complete(("pwd", "otp", "mfa"), "2"),
        ),
        (facts(PASSKEY, caution=ASK), DEMANDING, Complete(("hwk", "mfa"), "2")),
        (facts(LINK, caution=ASK), DEMANDING, Complete(("email",), "1")),
        (facts(LINK, factors=("word",), caution=ASK), DEMANDING, Ask(("word",))),
        # whoever may add a factor here adds his own
        (facts(PASSWORD, needed=NOW, caution=ASK), DEMANDING, "sign_in_suspicious"),
        (facts(PASSWORD, needed=SOON, caution=ASK), DEMANDING, "sign_in_suspicious"),
        (facts(LINK, needed=NOW, caution=ASK), DEMANDING, Enrol(("word", "sign"))),
        (facts(PASSWORD, factors=("word",), caution=NEVER), DEMANDING, "sign_in_suspicious"),
        (facts(PASSKEY, caution=NEVER), DEMANDING, "sign_in_suspicious"),
        (facts(LINK, caution=NEVER), DEMANDING, "sign_in_suspicious"),
        # neither is told of an account that may not be used, nor before anything is proven
        (facts(caution=NEVER), DEMANDING, "invalid_credentials"),
        (facts(PASSWORD, active=False, caution=NEVER), DEMANDING, "invalid_credentials"),
        (facts(PASSWORD, verified=False, caution=NEVER), DEMANDING, "email_not_verified"),
        # a trusted device spares the asking, and nothing else
        (facts(factors=("word",), trusted="it"), DEMANDING, "invalid_credentials"),
        (facts(PASSWORD, factors=("word",), active=False, trusted="it"), DEMANDING, "invalid_credentials"),
        (facts(PASSWORD, factors=("word",), verified=False, trusted="it"), DEMANDING, "email_not_verified"),
        (
            facts(PASSWORD, factors=("word",), trusted="it"),
            DEMANDING,
            Complete(("pwd",), "1", None, "it"),
        ),
        (
            facts(PASSWORD, factors=("word",), needed=NOW, trusted="it"),
            DEMANDING,
            Complete(("pwd",), "1", None, "it"),
        ),
        (
            facts(LINK, factors=("mail_code",), trusted="it"),
            DEMANDING,
            Complete(("email",), "1", None, "it"),
        ),
        (
            facts(PASSWORD, WORD, factors=("word",), trusted="it"),
            DEMANDING,
            Complete(("pwd", "otp", "mfa"), "2"),
        ),
        # where no factor is enrolled there is nothing to spare
        (facts(PASSWORD, trusted="it"), DEMANDING, Complete(("pwd",), "1")),
        (facts(PASSWORD, needed=NOW, trusted="it"), DEMANDING, Enrol(("word", "sign"))),
        # and where something unusual wants two factors, trust is none
        (
            facts(PASSWORD, factors=("word",), caution=TELL, trusted="it"),
            DEMANDING,
            Complete(("pwd",), "1", None, "it"),
        ),
        (facts(PASSWORD, factors=("word",), caution=ASK, trusted="it"), DEMANDING, Ask(("word",))),
        (facts(LINK, factors=("word",), caution=ASK, trusted="it"), DEMANDING, Ask(("word",))),
        (facts(PASSWORD, factors=("word",), caution=NEVER, trusted="it"), DEMANDING, "sign_in_suspicious"),
    ],
)
def test_what_comes_next(given: Facts, policy: Policy, expected: Any) -> None:
    """Refuse, ask or complete, as the rules at the top of `steps.py` say."""
    step = next_step(given, policy)
    if isinstance(expected, str):
        assert isinstance(step, Refuse)
        assert step.code.name == expected
        # a right proof for an unverified address is no guess
        assert step.counted is (expected == "invalid_credentials")
    else:
        assert step == expected
