"""What can go wrong with a model.

ModelError                 a model can't be used as it is: at start
├── ManifestError          its manifest is wrong, or a file is not the one that it names
└── DeviceError            what it should run on is not there
OverloadedError            more is waiting than may wait
BackendError               a run failed
"""

from __future__ import annotations


class ModelError(Exception):
    """`where` is a file, with a line where one is known; the message says what is wrong and what to do."""

    def __init__(self, problem: str, *, where: str = "") -> None:
        super().__init__(f"{where}: {problem}" if where else problem)
        self.problem = problem
        self.where = where


class ManifestError(ModelError):
    """A manifest or a file of a model is not what it should be."""


class DeviceError(ModelError):
    """What a model should run on is not there."""


class OverloadedError(Exception):
    """More is waiting than may wait. The caller's guard fails; the client may try again."""


class BackendError(Exception):
    """A run of the model failed. The message never holds text."""
