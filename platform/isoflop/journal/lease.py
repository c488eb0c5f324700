"""Leases: what both journals decide about them."""

from __future__ import annotations

import os
import socket

from isoflop.errors import LeaseError
from isoflop.journal.protocol import Lease


def gone(holder: str) -> bool:
    """Whether a holder, `host:pid` with anything behind, was a process of this machine that has ended.

    Of another machine nothing is known: there the lease's expiry decides.
    """
    host, _, rest = holder.partition(":")
    pid = rest.partition(":")[0]
    if host != socket.gethostname() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
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
