"""What every test process needs before its first test."""

import signal

from hypothesis import HealthCheck, settings

# No example fails for being slow: how long one takes is the machine's doing.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

# A shell starts what runs in its background with SIGINT ignored, and every program below inherits that: those that
# tests interrupt would not hear of it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
