"""The one door. Every way in yields *proofs*; one pure function decides what is still missing; only then a session.

`ways.py` says what ribs provide (`WayIn`, `Factor`), `steps.py` decides, `attempt.py` seals what is half done,
`door.py` walks. No session, cookie or token exists before `Complete` (L01).
"""
