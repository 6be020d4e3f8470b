"""The pattern rows of a policy: compiled together, and swept for by who asks for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lockgate.detectors.protocol import PatternDetector, PatternSpec
from lockgate.detectors.scanner import Rows
from lockgate.detectors.views import LONGEST, SHORTEST
from lockgate.errors import PatternError
from lockgate.policy.plan import Asked, PlannedRule, Sweep

_MARGIN = 8  # characters that a stream must be able to hold besides a disguised text


class Patterns:
    """The pattern rows of all rules, compiled together, and the numbers of those of each detector."""

    def __init__(self, rules: Sequence[PlannedRule], max_hold: int) -> None:
        asked: dict[PatternSpec, str] = {}
        detectors = {id(use.detector): (use.detector, rule) for rule in rules for use in rule.uses}
        for detector, rule in detectors.values():
            if isinstance(detector, PatternDetector):
                for spec in detector.specs:
                    asked.setdefault(spec, rule.where)
        try:
            self.rows = Rows(tuple(asked), longest=min(LONGEST, max(SHORTEST, max_hold - _MARGIN)))
        except PatternError as error:
            label = error.problem.partition(":")[0]
            where = next((where for spec, where in asked.items() if spec.label == label), "")
            raise error.at(where) from None
        numbers = {spec: number for number, spec in enumerate(asked)}
        self._of = {
            key: [numbers[spec] for spec in detector.specs] if isinstance(detector, PatternDetector) else []
            for key, (detector, _) in detectors.items()
        }

        self._sweeps: dict[tuple[tuple[str, ...], frozenset[int]], Sweep | None] = {}

    def of(self, rules: Iterable[PlannedRule]) -> frozenset[int]:
        """The rows that rules ask for."""
        return frozenset(number for rule in rules for use in rule.uses for number in self._of[id(use.detector)])

    def sweep(self, rules: Sequence[PlannedRule], held: frozenset[int] = frozenset()) -> Sweep | None:
        """What rules look for: one sweep for the same rules. `held`: see `Rows.scanner`."""
        key = tuple(rule.id for rule in rules), held
        if key not in self._sweeps:
            asked: dict[int, list[Asked]] = {}
            for rule in rules:
                for use in rule.uses:
                    for number in self._of[id(use.detector)]:
                        asked.setdefault(number, []).append(Asked(rule, use.kind))
            who = tuple(tuple(asked.get(number, ())) for number in range(len(self.rows.specs)))
            self._sweeps[key] = Sweep(self.rows.scanner(asked, held), who) if asked else None
        return self._sweeps[key]


def ready(sweep: Sweep | None, where: str) -> Sweep | None:
    """Rows that are shipped are known to fit, and need not be ready before the first stream; others must be."""
    if sweep is not None and not all(sweep.scanner.specs[number].shipped for number in sweep.scanner.wanted):
        try:
            sweep.scanner.ready()
        except PatternError as error:
            raise error.at(where) from None
    return sweep
