"""The plan of the house, held by tests: who may import whom, how long a file may be, and what must be tested and
documented. The sources are read with `ast`, so that an import inside a function or for types only counts too."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

import lockgate
from lockgate.detectors.catalog import CATALOG
from lockgate_proxy.cli import COMMANDS
from lockgate_proxy.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
LONGEST = 400

STOREYS = {"lockgate_proxy": "proxy", "lockgate": "guardrails", "lockgate_models": "models"}
"""Package → its source root, top storey first. A storey may import itself and those below it."""

VALUES = {"coverage", "errors", "exchange", "messages", "notes", "verdict"}
READING = VALUES | {"detectors", "normalise", "windows"}

ROOMS: dict[str, set[str]] = {
    # What everything is said in.
    "exchange": set(),
    "coverage": set(),
    "messages": set(),
    "notes": {"messages"},
    "verdict": {"coverage", "exchange", "notes"},
    "errors": {"verdict"},
    "ids": set(),
    "background": set(),
    # Text, and what looks at it.
    "normalise": set(),
    "windows": {"normalise"},
    "policy.nearest": set(),
    "policy.model": set(),
    "policy.scope": {"exchange", "policy.model"},
    "detectors": VALUES | {"normalise", "policy.nearest", "policy.scope", "windows"},
    "scoring": VALUES | {"detectors", "normalise"},
    # From YAML to a policy (the room `policy`), and from a policy to a plan.
    "policy": VALUES | {"detectors", "policy.model", "policy.nearest", "policy.scope"},
    "policy.conditions": VALUES | {"policy", "policy.nearest"},
    "policy.plan": VALUES | {"detectors", "policy.conditions", "policy.scope"},
    "policy.sweeps": VALUES | {"detectors", "policy.plan"},
    "policy.conflicts": VALUES | {"policy.plan"},
    "policy.amend": {"errors"},
    "policy.merged": {"policy"},
    "policy.lint": VALUES | {"policy", "policy.conditions", "policy.conflicts", "policy.plan", "policy.scope"},
    "policy.compile": VALUES
    | {"detectors", "policy", "policy.conditions", "policy.nearest", "policy.plan", "policy.scope", "policy.sweeps"},
    # A plan at work. No station knows the one before it.
    "masks": set(),
    "act": VALUES | {"masks", "policy.plan"},
    "decide": VALUES | {"act", "policy.conditions", "policy.plan"},
    "tail": READING | {"policy.plan"},
    "joined": READING | {"policy.plan"},
    "seam": READING | {"joined", "policy.plan", "tail"},
    "settling": READING | {"decide", "policy.conditions", "policy.plan"},
    "gate": READING | {"act", "decide", "policy.plan", "seam", "settling", "tail"},
    "engine": READING | {"decide", "policy.plan", "seam", "tail"},
    "wire": VALUES | {"act", "forms"},
    # How texts are edited: masks, JSON that stays JSON, and values that are put back.
    "forms": set(),
    "outline": {"forms"},
    "restoring": set(),
    "editing": VALUES | {"act", "decide", "forms", "masks", "outline", "policy.plan", "restoring", "wire"},
    "gate_text": VALUES | {"act", "editing", "forms", "gate", "outline", "policy.plan", "restoring"},
    # Notes that stand in an answer.
    "markup": set(),
    "refusing": VALUES,
    "placing": VALUES | {"act", "detectors", "editing", "markup", "policy.plan", "refusing"},
    "gate_notes": VALUES
    | {"act", "editing", "forms", "gate", "gate_text", "markup", "placing", "policy.plan", "settling"},
    "silence": {"gate"},
    "revising": READING | {"act", "decide", "editing", "engine", "policy.plan"},
    # The one story that both doors tell, and what remembers it.
    "ahead": READING | {"gate", "policy.plan"},
    "channels": VALUES | {"wire"},
    "passage": READING
    | {"act", "ahead", "channels", "decide", "editing", "engine", "gate", "gate_notes", "gate_text", "marks"}
    | {"masks", "placing", "policy.plan", "seam", "revising", "silence", "settling"}
    | {"wire"},
    "audit": VALUES | {"marks"},
    "marks": VALUES,
    "telemetry": VALUES,
    # What is asked for by name: a guard, a policy's tests, an explanation.
    "pieces": VALUES | {"passage", "wire"},
    "guard": VALUES
    | {
        "background",
        "detectors",
        "engine",
        "ids",
        "masks",
        "passage",
        "pieces",
        "policy",
        "policy.compile",
        "policy.plan",
        "wire",
    },
    "explain": VALUES
    | {"act", "decide", "engine", "explain_stream", "ids", "passage", "policy.plan", "shape", "windows", "wire"},
    "explain_stream": VALUES | {"passage", "wire"},
    "shape": set(),
    "policy.cases": VALUES
    | {"engine", "ids", "masks", "passage", "pieces", "policy", "policy.nearest", "policy.plan", "wire"},
    "": VALUES | {"detectors", "engine", "guard", "policy"},
}
"""Room of `lockgate` → the rooms it may import, besides itself. A room is a module or a package, less the modules that have
a line of their own. "" is the face."""

THIRD_PARTY = {
    "lockgate_models": {
        "google",  # protobuf
        "grpc",
        "httpcore2",
        "numpy",
        "onnxruntime",
        "pydantic",
        "pydantic_core",
        "ruamel",
        "tokenizers",
    },
    "lockgate": {
        "cel_expr_python",
        "jiter",
        "opentelemetry",
        "phonenumbers",
        "numpy",  # what models answer, where they run: topic.py, and figures: scoring/evaluation.py
        "presidio_analyzer",  # the extra `presidio`, as are spaCy and tldextract, which it brings: presidio_load.py alone
        "pydantic",
        "pycld2",
        "pydantic_core",
        "re2",
        "ruamel",
        "spacy",
        "tldextract",
        "ulid",
    },
    "lockgate_proxy": {
        "aiohttp",
        "httptools",  # reads requests, for uvicorn and for us
        "httpx2",  # openai's own client
        "jiter",
        "openai",
        "opentelemetry",
        "pydantic",
        "pydantic_core",
        "rich",
        "starlette",
        "uvicorn",
        "yarl",  # aiohttp's own URLs
    },
}
"""What each storey may import from outside. For `lockgate` these are the core dependencies, and what one detector needs."""

IN_TRAINING = {"onnx", "torch", "transformers"}
"""What `lockgate_models.train` may import besides: it runs in an environment of its own."""

UNMIRRORED: dict[str, str] = {
    "lockgate/__init__.py": "the face: tested below",
    "lockgate_proxy/__init__.py": "the way to `guarded`: tested with it",
    "lockgate_models/oip/messages_pb2.py": "generated: tested with the two that speak it",
}
"""Source files without a test file of their own, and why."""


class Source(NamedTuple):
    module: str
    path: Path
    tree: ast.Module


class Import(NamedTuple):
    target: str
    line: int
    at_start: bool
    """It runs when the module is imported: neither in a function nor for types only."""


@cache
def sources() -> dict[str, Source]:
    """Every module of the three packages by its dotted name."""
    found = {}
    for package, root in STOREYS.items():
        for path in sorted((ROOT / root / package).rglob("*.py")):
            parts = path.relative_to(ROOT / root).with_suffix("").parts
            module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[module] = Source(module, path, ast.parse(path.read_text(encoding="utf-8"), str(path)))
    return found


@cache
def imports(module: str) -> tuple[Import, ...]:
    """What `module` imports, down to modules of ours: `from lockgate.policy import load` is `lockgate.policy.load`."""
    found: list[Import] = []

    def walk(node: ast.AST, at_start: bool) -> None:
        if isinstance(node, ast.Import):
            found.extend(Import(alias.name, node.lineno, at_start) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}:{node.lineno} imports relatively"
            base = node.module or ""
            for alias in node.names:
                name = f"{base}.{alias.name}"
                found.append(Import(name if name in sources() else base, node.lineno, at_start))
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for guarded in node.body:
                walk(guarded, at_start=False)
            for other in node.orelse:
                walk(other, at_start=at_start)
            return
        within = at_start and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            walk(child, at_start=within)

    walk(sources()[module].tree, at_start=True)
    return tuple(found)


def top(module: str) -> str:
    return module.split(".", 1)[0]


def room(module: str) -> str | None:
    """The room of a module of `lockgate`, the narrowest that the table has; None if it has none."""
    name = module.partition(".")[2]
    while name not in ROOMS and "." in name:
        name = name.rpartition(".")[0]
    return name if name in ROOMS else None


def test_arrows_between_storeys_point_down() -> None:
    order = list(STOREYS)
    upward = [
        f"{module}:{used.line} imports {used.target}"
        for module in sources()
        for used in imports(module)
        if top(used.target) in STOREYS and order.index(top(used.target)) < order.index(top(module))
    ]
    assert upward == []


def test_rooms_import_only_what_the_table_allows() -> None:
    ours = [module for module in sources() if top(module) == "lockgate"]
    assert [module for module in ours if room(module) is None] == [], "not in ROOMS"
    astray = []
    for module in ours:
        here = room(module)
        assert here is not None
        for used in imports(module):
            if top(used.target) != "lockgate":
                continue
            there = room(used.target)
            if there is None or (there != here and there not in ROOMS[here]):
                astray.append(f"{module}:{used.line} imports {used.target}")
    assert astray == []


def test_the_table_of_rooms_has_no_circle_and_no_room_that_is_gone() -> None:
    assert {room(module) for module in sources() if top(module) == "lockgate"} >= set(ROOMS)
    # `errors` names `Verdict` for types only.
    left = {name: allowed - {name} for name, allowed in ROOMS.items()} | {"errors": set()}
    left["verdict"] = {"exchange"}
    while free := {name for name, allowed in left.items() if not allowed & left.keys()}:
        left = {name: allowed for name, allowed in left.items() if name not in free}
    assert left == {}


def test_no_circle_of_imports() -> None:
    left = {
        module: {used.target for used in imports(module) if used.at_start and used.target != module}
        for module in sources()
    }
    while free := {module for module, targets in left.items() if not targets & left.keys()}:
        left = {module: targets for module, targets in left.items() if module not in free}
    assert sorted(left) == [], "these import each other, or one that does"


@pytest.mark.parametrize("package", STOREYS)
def test_third_parties_are_the_declared_ones(package: str) -> None:
    used = {
        top(used.target): f"{module}:{used.line}"
        for module in sources()
        if top(module) == package
        for used in imports(module)
        if top(used.target) not in STOREYS and top(used.target) not in sys.stdlib_module_names
    }
    used = {
        name: where
        for name, where in used.items()
        if not (where.startswith("lockgate_models.train.") and name in IN_TRAINING)
    }
    assert {name: where for name, where in used.items() if name not in THIRD_PARTY[package]} == {}


def test_files_are_short() -> None:
    folders = ("guardrails", "proxy", "models", "benchmarks", "tests", "scripts")
    lines = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
    }
    assert {name: count for name, count in lines.items() if count > LONGEST} == {}


def mirrors(source: Source) -> list[Path]:
    """The test files of a source file: `test_<name>.py` and `test_<name>_<part>.py` in the room's folder of tests/."""
    package, *rooms = source.path.relative_to(ROOT / STOREYS[top(source.module)]).parts[:-1]
    folder = {"lockgate": "", "lockgate_proxy": "proxy", "lockgate_models": "models"}[package]
    tests = ROOT / "tests" / Path(folder, *rooms)
    name = source.path.stem
    return [*tests.glob(f"test_{name}.py"), *tests.glob(f"test_{name}_*.py")]


def holds_only_a_docstring(source: Source) -> bool:
    return all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in source.tree.body)


def test_every_source_has_its_test() -> None:
    bare = {
        source.path.relative_to(ROOT / STOREYS[top(source.module)]).as_posix()
        for source in sources().values()
        if not holds_only_a_docstring(source) and not mirrors(source)
    }
    assert sorted(bare - UNMIRRORED.keys()) == [], "no test file, and no reason in UNMIRRORED"
    assert sorted(UNMIRRORED.keys() - bare) == [], "in UNMIRRORED, but gone or tested"


def headings(page: str) -> set[str]:
    """The names that head a part of docs/<page>: headings that begin with one in back-ticks, as `lockgate serve`."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    text = re.sub(r"^(```|~~~).*?^\1", "", text, flags=re.MULTILINE | re.DOTALL)
    return set(re.findall(r"^#{2,4} `(?:lockgate )?([a-z_]+)`", text, flags=re.MULTILINE))


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("detectors.md", set(CATALOG)),
        ("settings.md", set(Settings.model_fields)),
        ("commands.md", set(COMMANDS)),
    ],
    ids=["detectors", "settings", "commands"],
)
def test_every_name_is_a_heading_in_the_docs(page: str, names: set[str]) -> None:
    assert names
    assert sorted(names - headings(page)) == [], f"no heading in docs/{page}"
    assert sorted(headings(page) - names) == [], f"headings of docs/{page} that name nothing"


def test_the_face_exports_what_it_says() -> None:
    bound = {
        name
        for name, value in vars(lockgate).items()
        if not name.startswith("_") and not isinstance(value, ModuleType) and name != "annotations"
    }
    assert bound == set(lockgate.__all__)
    assert {"guard", "Engine", "Policy", "Verdict", "Finding", "Refused"} <= bound
    assert list(lockgate.__all__) == sorted(set(lockgate.__all__))
    assert not [name for name in lockgate.__all__ if isinstance(getattr(lockgate, name), ModuleType)]


def test_the_command_and_the_packages_are_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["scripts"] == {"lockgate": "lockgate_proxy.cli:main"}
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    packages = [*wheel["packages"], *(path for path, name in wheel["sources"].items() if name in STOREYS)]
    assert sorted(packages) == sorted(f"{root}/{package}" for package, root in STOREYS.items())
    for package, root in STOREYS.items():
        assert (ROOT / root / package / "py.typed").is_file()
