"""Property tests on a busy machine: no deadline, or the machine's load would be a failure."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("ldaprepl", deadline=None)
settings.load_profile("ldaprepl")
