"""The outbox: what must leave this deployment, as sealed rows written in the same transaction as its reason.

A worker claims rows by lease, delivers them with no transaction open, and deletes them afterwards. Delivery is
*at least once*: a worker that dies between the other side's "accepted" and our delete leaves a row that is delivered
again. A row's id never changes, and everything derived from it (a mail's Message-ID, a webhook's id) stays the same
with every try, so a receiver can tell a repetition from a second message.
"""
