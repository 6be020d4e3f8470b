"""What all tests share."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# No deadline anywhere: a slow machine is no failure. CI draws the same examples in each run, so that a red run can be
# repeated; elsewhere they are drawn anew, and so cover more with time.
settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("here"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")
