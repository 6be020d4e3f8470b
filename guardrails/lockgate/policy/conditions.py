"""The conditions of rules: CEL, checked at load, evaluated on the event loop.

A condition sees, of each detector in its rule's `use:`, ``score`` (double, the highest), ``labels`` (label → double,
the highest of each; 0.0 for one that was not found) and ``count`` (int); and of the request ``model``, ``user``,
``tags`` (list of text), ``tenant``, ``country``, ``language``, ``stream`` (bool), ``side`` and ``dialect``. Every other name is an error at load.

A detector that failed has no values. What reads them is then an error, which CEL absorbs where the rest decides:
``true || error`` is true, ``false && error`` is false. An error that is left is a `ConditionFailure`.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from lockgate.errors import PolicyError
from lockgate.policy.comparison import Comparison, read_comparison
from lockgate.policy.expression import names_in
from lockgate.policy.nearest import suggest

FIELDS = {"score": "double", "labels": "labels", "count": "int"}
"""What a condition sees of a detector, and its type."""

REQUEST = {
    "model": "string",
    "user": "string",
    "tags": "texts",
    "tenant": "string",
    "country": "string",
    "language": "string",
    "stream": "bool",
    "side": "string",
    "dialect": "string",
}
"""What a condition sees of the request, and its type."""

_FUNCTIONS = (
    "all", "contains", "double", "dyn", "endsWith", "exists", "exists_one", "filter", "has", "int", "map", "matches",
    "size", "startsWith", "string",
)  # fmt: skip

_ERROR = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (.*)")
_UNDECLARED = re.compile(r"undeclared reference to '([^']*)'")
_OVERLOAD = re.compile(r"found no matching overload for '([^']*)' applied to '(.*)'")
_STRING = re.compile(r'"""(?:\\.|.)*?"""|\'\'\'(?:\\.|.)*?\'\'\'|"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'', re.DOTALL)
_HAS = re.compile(r"\bhas\s*\(\s*\.?([\w.\s]+)\)")
_STATUS = re.compile(r"[A-Z_]+(?=:)")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a detector found, as a condition sees it. `labels` need not hold those that were not found."""

    score: float = 0.0
    labels: Mapping[str, float] = field(default_factory=dict)
    count: int = 0


@dataclass(frozen=True, slots=True)
class ConditionFailure:
    """A condition that has no value, because of the detectors in `missing` or by itself.

    `code` is CEL's word for it (``NOT_FOUND``, ``OUT_OF_RANGE``, …). It is neither true nor false, and says so when
    it is asked.
    """

    missing: tuple[str, ...] = ()
    code: str = ""

    def __bool__(self) -> NoReturn:
        raise TypeError("a failed condition is neither true nor false")


@dataclass(frozen=True, slots=True)
class _Need:
    """What a condition reads of one detector: the names of the variables, "" for those it leaves alone."""

    kind: str
    score: str
    labels: str
    count: str
    zeros: Mapping[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """A compiled condition. `uses_detectors` are the kinds that it names."""

    expression: str
    uses_detectors: frozenset[str]
    reads_request: bool
    _program: Any
    _needs: tuple[_Need, ...]
    _facts: tuple[tuple[str, str], ...]
    _comparison: Comparison | None = None
    """What is evaluated in place of `_program`, where that is all."""
    # One plan may serve several event loops, each in a thread of its own; CEL's evaluator is used by one at a time.
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def comparison(self) -> Comparison | None:
        """The single comparison that it is, if it is one."""
        return self._comparison

    def evaluate(self, answers: Mapping[str, Answer | None], request: Mapping[str, object]) -> bool | ConditionFailure:
        """Whether the condition holds. None, or no entry, in `answers` is a detector that failed; `request` maps the
        names of `REQUEST` to their values."""
        data: dict[str, object] = {}
        missing: tuple[str, ...] = ()
        for need in self._needs:
            answer = answers.get(need.kind)
            # A score that is no number compares as false with everything: no answer either.
            if answer is None or answer.score != answer.score:
                missing += (need.kind,)
                continue
            if need.score:
                data[need.score] = float(answer.score)
            if need.labels:
                data[need.labels] = {**need.zeros, **answer.labels}
            if need.count:
                data[need.count] = answer.count
        if self._comparison is not None:
            value = data.get(self._comparison.variable)
            if isinstance(value, (int, float)):
                return self._comparison.holds(value)
            return ConditionFailure(missing, "UNKNOWN")
        for name, variable in self._facts:
            if name in request:
                data[variable] = _clean(request[name])
        try:
            with self._lock:
                value = self._program.eval(data=data).value()
        except RuntimeError as error:
            return ConditionFailure(missing, _code(str(error)))
        if value is True or value is False:
            return bool(value)
        return ConditionFailure(missing, _code(str(value)))


def compile_condition(expression: str, *, where: str, detectors: Mapping[str, frozenset[str]]) -> Condition:
    """Compile `expression`; `detectors` maps the kinds of its rule's `use:` to the labels that each can give.

    Raises PolicyError at `where` for a syntax error, an unknown name, field or label, a wrong type, and a result that
    is not a boolean.
    """
    comparison = read_comparison(expression, detectors)
    if comparison is not None:
        return _compared(expression, comparison, detectors[comparison.kind])
    return _Compiler(expression, where, detectors).compile()


def _compared(expression: str, comparison: Comparison, labels: frozenset[str]) -> Condition:
    score, count = (comparison.variable if comparison.name == name else "" for name in ("score", "count"))
    return Condition(
        expression=expression,
        uses_detectors=frozenset({comparison.kind}),
        reads_request=False,
        _program=None,
        _needs=(_Need(comparison.kind, score, "", count, dict.fromkeys(labels, 0.0)),),
        _facts=(),
        _comparison=comparison,
    )


class _Compiler:
    def __init__(self, expression: str, where: str, detectors: Mapping[str, frozenset[str]]) -> None:
        self.expression = expression
        self.where = where
        self.detectors = detectors
        self.fields = {**dict.fromkeys(detectors, FIELDS), "request": REQUEST}
        self.variables = {
            f"{root}.{name}": type_ for root, names in self.fields.items() for name, type_ in names.items()
        }

    def compile(self) -> Condition:
        program = self._program()
        returned = program.return_type()
        if returned.name() != "BOOL":
            hint = 'compare it with something, as in `pii.count > 0` or `request.side == "prompt"`'
            raise self._error(f"the condition gives {returned.name().lower()}, not a boolean", None, hint)
        self._refuse_has()
        names = names_in(program.serialize(), frozenset(self.variables))
        for variable, label, offset in names.labels:
            kind = variable.removesuffix(".labels")
            if label not in self.detectors[kind]:
                hint = suggest(label, self.detectors[kind])
                raise self._error(f"`{kind}` has no label `{label}`", self._place(offset), hint)
        kinds = sorted(kind for kind in self.detectors if any(f"{kind}.{name}" in names.variables for name in FIELDS))
        facts = tuple((name, f"request.{name}") for name in REQUEST if f"request.{name}" in names.variables)
        return Condition(
            expression=self.expression,
            uses_detectors=frozenset(kinds),
            reads_request=bool(facts),
            _program=program,
            _needs=tuple(self._need(kind, names.variables) for kind in kinds),
            _facts=facts,
        )

    def _program(self) -> Any:
        from cel_expr_python import cel

        types = {
            "double": cel.Type.DOUBLE,
            "int": cel.Type.INT,
            "string": cel.Type.STRING,
            "bool": cel.Type.BOOL,
            "labels": cel.Type.Map(cel.Type.STRING, cel.Type.DOUBLE),
            "texts": cel.Type.List(cel.Type.STRING),
        }
        variables = {name: types[type_] for name, type_ in self.variables.items()}
        try:
            return cel.NewEnv(variables=variables).compile(self.expression)
        except RuntimeError as error:
            raise self._explained(str(error)) from error
        except TypeError as error:
            raise self._error("the condition is not text that UTF-8 can hold", None) from error

    def _need(self, kind: str, read: set[str]) -> _Need:
        score, labels, count = (name if name in read else "" for name in (f"{kind}.{field_}" for field_ in FIELDS))
        return _Need(kind, score, labels, count, dict.fromkeys(self.detectors[kind], 0.0))

    def _refuse_has(self) -> None:
        """``has(pii.count)`` looks like a question whether the detector ran, and would be the count itself."""
        for match in _HAS.finditer(_STRING.sub(lambda text: "~" * len(text[0]), self.expression)):
            name = re.sub(r"\s", "", match[1])
            if name in self.variables:
                problem = f"`has({name})` does not tell anything"
                hint = "a detector that failed is decided by the rule's `on_error`"
                raise self._error(problem, self._place(match.start()), hint)

    def _explained(self, text: str) -> PolicyError:
        """The compiler's complaint in the words of a policy: the first one that has a nearest word, else the first."""
        found = [(int(line), int(column), message) for line, column, message in _ERROR.findall(text)]
        if not found or found[0][0] < 1:
            problem = f"the condition is {'nested too deep' if 'recursion' in text else 'too long'}"
            return self._error(problem, None, "write two rules, or put the words into a detector")
        errors = [self._complaint((line, column), message) for line, column, message in found]
        return next((error for error in errors if error.hint.startswith("did you mean")), errors[0])

    def _complaint(self, place: tuple[int, int], message: str) -> PolicyError:
        if undeclared := _UNDECLARED.search(message):
            return self._undeclared(undeclared[1].lstrip("."), place)
        if overload := _OVERLOAD.search(message):
            return self._overload(overload[1], overload[2], place)
        message = message.removesuffix(" [INVALID_ARGUMENT]").replace("<EOF>", "the end")
        message = re.sub(r" expecting \{.*", "", message)
        return self._error(message[:1].lower() + message[1:], place)

    def _undeclared(self, name: str, place: tuple[int, int]) -> PolicyError:
        root, _, rest = name.partition(".")
        fields = self.fields.get(root)
        if fields is not None and not rest:
            return self._error(f"`{root}` alone is no value", place, "it has " + ", ".join(f"`{f}`" for f in fields))
        if fields is not None:
            rest = rest.partition(".")[0]
            return self._error(f"`{root}` has no `{rest}`", place, suggest(rest, fields))
        line = self.expression.split("\n")[place[0] - 1]
        if line[place[1] - 1 : place[1]] == "(":
            return self._error(f"there is no function `{root}`", place, suggest(root, _FUNCTIONS))
        hint = suggest(root, self.fields)
        if not hint.startswith("did you mean"):
            used = ", ".join(f"`{kind}`" for kind in sorted(self.detectors)) or "nothing"
            hint = f"a condition sees `request`, and what its rule has under `use:`, here {used}"
        return self._error(f"there is no `{root}`", place, hint)

    def _overload(self, function: str, types: str, place: tuple[int, int]) -> PolicyError:
        operator = function.lstrip("@") if any(map(str.isalnum, function)) else re.sub("[_@]", "", function)
        hint = ""
        if types in ("(double, int)", "(int, double)"):
            hint = "a score is a double and a count an int: write 1.0 beside a score, 1 beside a count"
        elif "double" in types and "bool" in types:
            hint = "compare the score with a number, as in > 0.5"
        return self._error(f"`{operator}` can't be applied to {types}", place, hint)

    def _place(self, offset: int) -> tuple[int, int]:
        before = self.expression[:offset]
        return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1

    def _error(self, problem: str, place: tuple[int, int] | None, hint: str = "") -> PolicyError:
        at = ""
        if place is not None:
            line = f"line {place[0]}, " if "\n" in self.expression.strip() else ""
            at = f", {line}column {place[1]}"
        return PolicyError(f"in `when`{at}: {problem}", where=self.where, hint=hint)


def _clean(value: object) -> object:
    """`value` as CEL takes it: a list for a tuple, and no halves of surrogate pairs, which UTF-8 can't hold."""
    if isinstance(value, (list, tuple)):
        return [_clean(item) for item in value]
    if isinstance(value, str) and not value.isascii():
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def _code(message: str) -> str:
    found = _STATUS.match(message)
    return found[0] if found else ""
