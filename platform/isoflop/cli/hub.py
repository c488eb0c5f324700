"""The hub that timm's weights stand on."""

from __future__ import annotations

import os
import socket
from urllib.request import getproxies

HOST = "huggingface.co"
OFFLINE, MIRROR = "HF_HUB_OFFLINE", "HF_ENDPOINT"
"""Settings of its client, which reads them when it is imported."""


def give_up_early() -> None:
    """Have timm look into its cache alone where nobody knows the hub's address: it would ask again for 45 seconds.

    Behind a proxy, which may know it, or with a mirror, nothing is changed.
    """
    if OFFLINE in os.environ or MIRROR in os.environ or getproxies():
        return
    try:
        socket.getaddrinfo(HOST, 443)
    except OSError:
        os.environ[OFFLINE] = "1"
