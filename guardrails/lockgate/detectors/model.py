"""The models that detectors ask, one of each in a process, and how they are run.

A policy that names a model has it verified at load: its manifest, its files' hashes. The runtime and the session come
with the first question, or with `ready`, in whichever process: they don't survive a fork.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lockgate.detectors.language import need_languages
from lockgate.errors import PolicyError

if TYPE_CHECKING:
    from lockgate_models.classifier import TextClassifier
    from lockgate_models.manifest import Manifest

TEXT = "lockgate-text"
"""The model that ships for texts."""
HONESTY = "lockgate-honesty"
"""The one for answers with their contexts, and for questions."""


class Model:
    """One model of the shelf. `manifest` is read and checked, all files that it will need are the right ones."""

    def __init__(self, folder: Path, options: Mapping[str, Any]) -> None:
        from lockgate_models.manifest import read_manifest

        self.folder = folder
        self.manifest: Manifest = read_manifest(folder)
        self._options = options
        self._lock = threading.Lock()
        self._loaded: tuple[int, TextClassifier] | None = None

    @property
    def name(self) -> str:
        """``name@revision``, as verdicts have it."""
        return f"{self.manifest.name}@{self.manifest.revision}"

    def classifier(self) -> TextClassifier:
        """The classifier of this process. Raises PolicyError where it can't be run."""
        loaded = self._loaded
        if loaded is not None and loaded[0] == os.getpid():
            return loaded[1]
        with self._lock:
            if self._loaded is None or self._loaded[0] != os.getpid():
                self._loaded = (os.getpid(), self._load())
            return self._loaded[1]

    @property
    def loaded(self) -> TextClassifier | None:
        """The classifier, if this process has it already."""
        return self._loaded[1] if self._loaded is not None and self._loaded[0] == os.getpid() else None

    def unlock(self) -> None:
        self._lock = threading.Lock()

    def _load(self) -> TextClassifier:
        try:
            from lockgate_models.errors import ModelError
            from lockgate_models.shelf import Options, load
        except ImportError as error:
            raise _missing(error) from None
        if self.manifest.languages:
            need_languages()
        try:
            return load(self.folder, Options(**self._options))
        except ModelError as error:
            raise PolicyError(f"the model {self.manifest.name!r}: {error}") from None


@dataclass(slots=True)
class Models:
    """Where models are looked for, and how they are run: `options` are those of `lockgate_models.shelf.Options`, on the
    CPU with one thread if there are none."""

    places: Sequence[Path] = ()
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)  # a key may be among them
    _known: dict[Hashable, Model] = field(default_factory=dict)
    _named: dict[Hashable, Model] = field(default_factory=dict)

    def run(self, places: Sequence[Path], options: Mapping[str, Any]) -> None:
        """From now on, look there, and run so. What was named before runs on as it did."""
        self.places, self.options = tuple(places), dict(options)
        self._named = {}

    def named(self, name: str) -> Model:
        """A model by name or path. Raises PolicyError where there is none, or its manifest is wrong."""
        try:
            from lockgate_models.errors import ModelError
            from lockgate_models.places import find, folders
        except ImportError as error:
            raise _missing(error) from None
        try:
            folder = find(name, folders(self.places)).resolve()
            key = (folder, *sorted(self.options.items()))
            if key not in self._known:
                self._known[key] = Model(folder, self.options)
        except ModelError as error:
            raise PolicyError(f"model: {error}") from None
        self._named[key] = self._known[key]
        return self._known[key]

    def ready(self) -> None:
        """Load what policies have named. Raises PolicyError."""
        for model in list(self._named.values()):
            model.classifier()

    def forked(self) -> None:
        """In a child: another thread may have held a lock at the fork, and is not here to let it go."""
        for model in self._known.values():
            model.unlock()

    def loaded(self) -> list[TextClassifier]:
        """The classifiers that run in this process."""
        return [found for model in list(self._named.values()) if (found := model.loaded) is not None]


MODELS = Models()
"""This process's."""

if hasattr(os, "register_at_fork"):  # not where nothing forks
    os.register_at_fork(after_in_child=MODELS.forked)


def run_models(places: Sequence[Path], options: Mapping[str, Any]) -> None:
    """How this process runs its models. Call it before a policy is compiled."""
    MODELS.run(places, options)


def _missing(error: ImportError) -> PolicyError:
    return PolicyError(
        f"a model needs the package {error.name or '?'}, which is not installed", hint="pip install 'lockgate[cpu]'"
    )
