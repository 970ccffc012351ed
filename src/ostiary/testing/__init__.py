"""For tests of ostiary and of applications that embed it: a real engine in the process, a clock to turn, a mailbox to
look into, and signed-in clients.

    async with testing.running(tmp_path) as kit:
        anna = await kit.signed_in("anna@example.com")
        assert (await anna.get("/auth/session")).status_code == 200
        kit.clock.turn(timedelta(hours=9))
        assert (await anna.get("/auth/session")).json()["code"] == "session_ended"

Nothing of ostiary is replaced but clock, mail transport and the cost of password hashes. Needs `ostiary[testing]`.
"""

from ostiary.testing.clock import TurnedClock
from ostiary.testing.kit import Browser, Kit, made, running

__all__ = ["Browser", "Kit", "TurnedClock", "made", "running"]
