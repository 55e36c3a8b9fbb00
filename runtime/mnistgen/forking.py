"""Make `os.fork` safe while other threads import modules or open sessions.

A forked child has only the thread that forked, but inherits every lock as it was. A lock that another thread held stays
locked forever in the child: the lock of a module that was being imported, or one inside ONNX Runtime. So work that
takes such locks holds `guard`, and a fork waits until `guard` is free.
"""

import os
import threading

guard = threading.RLock()
"""Held during lazy imports and while a session is opened; never during a run."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=guard.acquire, after_in_parent=guard.release, after_in_child=guard.release)
