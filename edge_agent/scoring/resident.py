"""A model's session: in memory while it is used, made again when it is wanted.

Made again from the bundle's files, which are read and hashed as they were the first
time: what changed on disk since is refused, not scored.
"""

from __future__ import annotations

import ctypes
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.bundle.contents import verified
from edge_agent.errors import ModelRejected
from edge_agent.samples import NANOSECONDS
from edge_agent.scoring.runtime import VERSION, open_session, session_options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_agent.bundle.contents import Bundle
    from edge_agent.scoring.deadline import Ticket, Watch
    from edge_agent.scoring.runtime import Session, SessionOptions

#: Ns for which a model whose files were refused is not looked at again.
_REFUSED_FOR = 30 * NANOSECONDS
#: Bytes of a session besides its graph: what those of 1 KB files were seen to take.
_OWN = 88 * 1024


class BeingLoaded(Exception):
    """The session is made in the background; nobody waits for it."""


class Resident:
    """The session of one model, made by `open` and again by `wake`.

    Args:
        bundle: verified; its bytes are not kept.
        threads: of one run.
        watch: has the time.

    Attributes:
        session: None while it rests.
        size: bytes of memory it takes, about.
        load_ns: how long it took to load last.
    """

    def __init__(self, bundle: Bundle, threads: int, watch: Watch) -> None:
        self.session: Session | None = None
        self.size, self.load_ns = 0, 0
        self._path, self._passport = bundle.path, bundle.passport
        self._outside = tuple(bundle.external)
        self._threads = threads
        self._watch = watch
        self._lock = threading.Lock()
        self._refused, self._refused_at = "", 0

    def open(self, bundle: Bundle) -> Session:
        """The first session, from the bundle's bytes.

        Raises:
            ModelRejected: the runtime cannot load the graph.
        """
        began, options = self._watch.now(), session_options(self._threads)
        session = self._made(bundle.model, bundle.external, options)
        self.load_ns = self._watch.now() - began
        return session

    def rest(self) -> None:
        """Give the session up; a run that is under way ends with it."""
        self.session = None

    def wake(self, ticket: Ticket, limit: int) -> Session:
        """The session, made again within the time of a call.

        Args:
            ticket: of the call.
            limit: its ns.

        Raises:
            BeingLoaded: it takes longer than the call may; ask again later.
            ModelRejected: the files are not what they were, or it was given up.
        """
        if not self._lock.acquire(blocking=False):
            raise BeingLoaded
        if 2 * self.load_ns > limit:
            threading.Thread(
                target=self._load_behind, name="model load", daemon=True
            ).start()
            raise BeingLoaded
        try:
            ticket.loading = session_options(self._threads)
            return self._load(ticket.loading)
        except ModelRejected:
            if ticket.options.terminate:  # given up: nothing is wrong with the files
                self._refused = ""
            raise
        finally:
            self._lock.release()

    def _load_behind(self) -> None:
        with suppress(ModelRejected):  # told to the next call
            try:
                self._load(session_options(self._threads))
            finally:
                self._lock.release()

    def _load(self, options: SessionOptions) -> Session:
        began = self._watch.now()
        if self._refused and began - self._refused_at < _REFUSED_FOR:
            raise ModelRejected(self._refused)
        names = (self._passport.model.file, *self._outside)
        try:
            bodies = [verified(self._path, name, self._passport) for name in names]
            external = dict(zip(self._outside, bodies[1:], strict=True))
            session = self._made(bodies[0], external, options)
        except ModelRejected as why:
            self._refused, self._refused_at = str(why), began
            raise
        finally:
            self.load_ns = self._watch.now() - began
        self._refused = ""
        return session

    def _made(
        self, model: bytes, external: Mapping[str, bytes], options: SessionOptions
    ) -> Session:
        before = resident_memory()
        try:
            session = open_session(model, external, options)
        except Exception as error:
            raise ModelRejected(
                f"{self._path}: ONNX Runtime {VERSION} cannot load "
                f"{self._passport.model.file}: {error}"
            ) from error
        stored = len(model) + sum(len(body) for body in external.values())
        self.size = max(self.size, _OWN + stored, resident_memory() - before)
        self.session = session
        return session


def resident_memory() -> int:
    """Bytes of memory the process holds; 0 where the system does not tell."""
    try:
        pages = Path("/proc/self/statm").read_text("ascii").split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def give_back() -> None:
    """Hand freed memory to the system: the allocator keeps it otherwise.

    300 small sessions that were closed left all of their 40 MB with the process.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):  # glibc
        libc.malloc_trim(0)
