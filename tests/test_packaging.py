"""What is shipped: a wheel, an sdist and an editable install are made offline, from a copy of the repository, and
each is then used from an environment of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import textwrap
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.full  # each builds, or makes an environment

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ("guardrails", "proxy", "models", "policies")
FILES = ("pyproject.toml", ".gitignore", "README.md", "CHANGELOG.md", "LICENSE")
PACKAGES = ("lockgate", "lockgate_proxy", "lockgate_models")
EXTRAS = (
    "aiohttp",
    "grpc",
    "httpcore2",
    "httptools",
    "httpx",
    "httpx2",
    "openai",
    "opentelemetry.sdk",
    "rich",
    "starlette",
    "uvicorn",
    "uvloop",
)


def copy_of_the_repository(folder: Path) -> Path:
    """What the packages are made of, copied to `folder`."""
    for name in SHIPPED:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, folder / name)
    return folder


def run(*command: str | Path, cwd: Path) -> str:
    """The standard output of a command, which must succeed. It sees nothing of this checkout."""
    hidden = ("PYTHONPATH", "PIP_CONSTRAINT", "PIP_BUILD_CONSTRAINT", "PIP_TARGET", "PIP_USER")
    env = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(source: Path, out: Path, *kinds: str) -> Path:
    """The folder `out` with what the build backend makes of `source`: with no kind, the sdist and a wheel from it."""
    run(sys.executable, "-m", "build", "--no-isolation", *kinds, "--outdir", out, source, cwd=source)
    return out


@dataclass(frozen=True)
class Place:
    """A virtual environment that has this one's third-party packages, and of Lockgate only what is installed in it."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, *wheels: Path) -> Place:
        venv.create(folder, symlinks=True)
        place = cls(folder)
        pip = ("-m", "pip", "--python", place.python, "--disable-pip-version-check", "--no-input", "install", "--quiet")
        run(sys.executable, *pip, "--no-index", "--no-deps", *wheels, cwd=folder)
        paths = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
        place.packages.joinpath("third_party.pth").write_text("\n".join(sorted(paths)), encoding="utf-8")
        return place

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def packages(self) -> Path:
        return next(self.folder.glob("lib/python*/site-packages"))

    def python_says(self, code: str) -> str:
        return run(self.python, "-I", "-c", textwrap.dedent(code), cwd=self.folder).strip()


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_the_repository(tmp_path_factory.mktemp("repository"))


@pytest.fixture(scope="module")
def built(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was made from the sdist."""
    return build(repository, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    return next(built.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place.make(tmp_path_factory.mktemp("installed"), wheel)


def contents(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return sorted(archive.namelist())


def below(folder: Path, prefix: str) -> set[str]:
    """The files below `folder`, as they should stand below `prefix`."""
    return {
        f"{prefix}/{path.relative_to(folder).as_posix()}"
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_the_packages_and_the_policies(wheel: Path) -> None:
    names = set(contents(wheel))
    info = {name for name in names if name.startswith("lockgate-") and ".dist-info/" in name}
    assert {name.split("/", 1)[0] for name in names - info} == set(PACKAGES)
    for root, package in zip(("guardrails", "proxy", "models"), PACKAGES, strict=True):
        assert below(ROOT / root / package, package) <= names
    policies = {name for name in names if name.startswith("lockgate/_policies/")}
    assert policies == below(ROOT / "policies", "lockgate/_policies")
    assert "lockgate/_policies/default.yaml" in policies
    assert any(name.endswith("/licenses/LICENSE") for name in info)
    for model in ("lockgate-text", "lockgate-pair", "lockgate-honesty"):
        shipped = {name.rpartition("/")[2] for name in names if name.startswith(f"lockgate_models/_shipped/{model}/")}
        assert shipped == {"README.md", "int8.onnx", "manifest.yaml", "tokenizer.json"}


def test_the_wheel_from_the_sdist_is_the_wheel_from_the_repository(
    repository: Path, wheel: Path, tmp_path: Path
) -> None:
    direct = next(build(repository, tmp_path, "--wheel").glob("*.whl"))
    assert contents(direct) == contents(wheel)


def test_the_sdist_holds_what_it_needs(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "PKG-INFO"} <= names
    assert below(ROOT / "policies", "policies") <= names


def test_an_installed_wheel_imports_and_finds_its_policies(installed: Place) -> None:
    said = installed.python_says("""
        import importlib.metadata, json
        import lockgate, lockgate_models, lockgate_proxy
        from lockgate.policy.locate import policies_dir
        files = [module.__file__ for module in (lockgate, lockgate_models, lockgate_proxy)]
        versions = [importlib.metadata.version("lockgate"), lockgate.__version__]
        print(json.dumps([files, str(policies_dir()), versions]))
    """)
    files, policies, versions = json.loads(said)
    assert files == [
        str(installed.packages / name / "__init__.py") for name in ("lockgate", "lockgate_models", "lockgate_proxy")
    ]
    assert policies == str(installed.packages / "lockgate" / "_policies")
    assert versions[0] == versions[1]


def test_the_installed_command_checks_a_policy(installed: Place, tmp_path: Path) -> None:
    command = installed.folder / "bin" / "lockgate"
    run(command, "check", installed.packages / "lockgate" / "_policies" / "default.yaml", cwd=tmp_path)


def test_without_extras_policies_are_checked_and_serve_names_what_it_misses(installed: Place) -> None:
    said = installed.python_says(f"""
        import sys
        for name in {EXTRAS!r}:
            sys.modules[name] = None
        import lockgate
        from lockgate.policy.locate import policies_dir
        from lockgate_proxy.cli import main
        policy = str(policies_dir() / "default.yaml")
        assert main(["check", policy]) == 0
        sys.stderr = sys.stdout
        code = main(["serve", "--policy", policy, "--upstream", "http://127.0.0.1:9/v1"])
        print("ended with", code)
    """)
    assert "lockgate[proxy]" in said
    assert said.splitlines()[-1].startswith("ended with ")
    assert not said.endswith(" 0")


def test_importing_the_core_loads_nothing_heavy(installed: Place) -> None:
    heavy = ("torch", "spacy", "presidio_analyzer", "numpy", "onnxruntime", "transformers", *EXTRAS)
    said = installed.python_says(f"""
        import sys
        import lockgate
        print([name for name in {heavy!r} if name in sys.modules])
    """)
    assert said == "[]"


def test_an_editable_install_sees_a_change_at_once(tmp_path: Path) -> None:
    (tmp_path / "repository").mkdir()
    repository = copy_of_the_repository(tmp_path / "repository")
    # What `pip install --editable` installs.
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel:editable", "-d", tmp_path / "dist", cwd=repository)
    place = Place.make(tmp_path / "place", *tmp_path.glob("dist/*.whl"))
    strays = [
        path.name
        for path in place.packages.iterdir()
        if path.name.startswith("lockgate") and path.suffix != ".dist-info"
    ]
    assert strays == [], "an editable install copies nothing"
    finds = """
        from lockgate.policy.load import load_policy
        from lockgate.policy.locate import policies_dir
        print(policies_dir())
        print(load_policy(policies_dir() / "default.yaml").name)
    """
    where, before = place.python_says(finds).splitlines()
    assert where == str(repository / "policies")
    policy = repository / "policies" / "default.yaml"
    policy.write_text("version: 1\nname: changed-a-moment-ago\nrules: []\n", encoding="utf-8")
    assert before != "changed-a-moment-ago"
    assert place.python_says(finds).splitlines() == [where, "changed-a-moment-ago"]
    (repository / "guardrails" / "lockgate" / "new_module.py").write_text("WORD = 'new'\n", encoding="utf-8")
    assert place.python_says("from lockgate.new_module import WORD; print(WORD)") == "new"


def test_a_users_installation_runs_the_demo(wheel: Path, tmp_path: Path) -> None:
    """As a user would: a fresh environment, the wheel with its extra, the packages that it asks for."""
    venv.create(tmp_path / "venv", with_pip=True, symlinks=True)
    python = tmp_path / "venv" / "bin" / "python"
    pip = ("-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet", "--retries", "10")
    run(python, *pip, "--constraint", ROOT / "scripts" / "constraints.txt", f"{wheel}[demo]", cwd=tmp_path)
    assert run(tmp_path / "venv" / "bin" / "lockgate", "demo", cwd=tmp_path)
    run(python, "-m", "pip", "check", cwd=tmp_path)
