"""Ports of 127.0.0.1 for servers of the tests."""

import random
import socket

_claims = []    # held until this process ends


def free_port():
    """One that nobody gets by chance before it is listened on, or while its server is
    started again: below those that the kernel hands out, and claimed by a name that
    every process of the tests asks for first."""
    with open('/proc/sys/net/ipv4/ip_local_port_range') as f:
        first = int(f.read().split()[0])
    low = 10000 if first > 11000 else 1024
    while True:
        port = random.SystemRandom().randrange(low, max(first, low + 1000))
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind('\0chat-test-port-%d' % port)
            with socket.socket() as s:
                s.bind(('', port))
        except OSError:
            claim.close()
        else:
            _claims.append(claim)
            return port
