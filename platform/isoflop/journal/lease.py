"""Leases: what both journals decide about them."""

from __future__ import annotations

import os
import socket

from isoflop.errors import LeaseError
from isoflop.journal.protocol import LEASE_SECONDS, Lease


def holds(lease: Lease | None, now: float, seconds: float = LEASE_SECONDS) -> bool:
    """Whether a lease is held: not given back, not expired, its process not known to have ended.

    Expiries are compared by wall clocks, and one may have jumped back since: an expiry further away than twice the
    length of a lease counts as past, or nobody could take the study over for as long as the jump. A driver that lives
    through such a jump and is taken over before it renews is told by its token.
    """
    if lease is None or not lease.holder or gone(lease.holder):
        return False
    return now < lease.expires <= now + 2 * max(seconds, LEASE_SECONDS)


def gone(holder: str) -> bool:
    """Whether a holder, `host:pid` with anything behind, was a process of this machine that has ended.

    Of another machine nothing is known: there the lease's expiry decides.
    """
    host, _, rest = holder.partition(":")
    pid = rest.partition(":")[0]
    return host == socket.gethostname() and pid.isdigit() and ended(int(pid))


def ended(pid: int) -> bool:
    """Whether there is no process of this number on this machine."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        return False
    return False


def held(lease: Lease, now: float) -> LeaseError:
    """The error for a second driver of a study."""
    left = max(1, round(lease.expires - now))
    return LeaseError(
        f"study {lease.study}: {lease.holder} is running it; "
        f"stop that one first, or wait: its lease ends in {left} s unless it is renewed"
    )


def lost(lease: Lease, newest: Lease | None) -> LeaseError:
    """The error for a driver whose lease is not the newest any more."""
    who = f"was taken over by {newest.holder}" if newest and newest.holder else "was given back"
    return LeaseError(
        f"study {lease.study}: the lease of {lease.holder} {who}; nothing was written, go on with the newer run"
    )
