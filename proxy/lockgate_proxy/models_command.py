"""`lockgate models list | verify | build`."""

from __future__ import annotations

import argparse
import importlib.util
import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lockgate.errors import SettingsError
from lockgate_models.errors import ManifestError
from lockgate_models.manifest import Manifest, read_manifest, verify
from lockgate_models.places import find, folders, models
from lockgate_proxy.command import FAILED, OK, WRONG

_BUILD = "lockgate_models.train.build"


def models_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    shown = actions.add_parser("list", allow_abbrev=False, help="show which models there are, and what they answer")
    shown.add_argument("--json", action="store_true", help="print each as a line of JSON")
    checked = actions.add_parser("verify", allow_abbrev=False, help="compare every file with its manifest's SHA-256")
    checked.add_argument("name", nargs="*", metavar="NAME", help="names or folders of models (all)")
    built = actions.add_parser("build", allow_abbrev=False, help="make a model folder of a Hugging Face classifier")
    built.add_argument("source", metavar="ID_OR_DIR", help="the classifier: its name on the hub, or its folder")
    built.add_argument("--task", choices=("text", "token", "pair"), required=True, help="what it classifies")
    built.add_argument("--precision", choices=("int8", "fp16"), required=True, help="int8 for the CPU, fp16 for a GPU")
    built.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder to make")
    for each in (shown, checked):
        each.add_argument("--models", type=Path, metavar="DIR", help="where more models are, beside those that ship")


def run_models_command(given: argparse.Namespace) -> int:
    if given.action == "build":
        return _build(given)
    places = folders([given.models] if given.models else [])
    if given.models is not None and not given.models.is_dir():
        raise SettingsError(f"--models: {given.models} is no folder")
    if given.action == "verify":
        return _verify(_named(given.name, places) if given.name else list(models(places)))
    return _list(list(models(places)), as_json=given.json)


def _named(names: Sequence[str], places: Sequence[Path]) -> list[Path]:
    try:
        return [find(name, places) for name in names]
    except ManifestError as error:
        raise SettingsError(str(error)) from None


def _list(found: Sequence[Path], *, as_json: bool) -> int:
    code = OK
    for folder in found:
        try:
            manifest = read_manifest(folder)
        except ManifestError as error:
            code = WRONG
            print(f"lockgate models: {error}", file=sys.stderr)
            continue
        said = _described(folder, manifest)
        print(json.dumps(said) if as_json else _text(said))
    if not found and not as_json:
        print("there are no models")
    return code


def _described(folder: Path, manifest: Manifest) -> dict[str, Any]:
    return {
        "name": manifest.name,
        "revision": manifest.revision,
        "form": manifest.form,
        "heads": {family: list(labels) for family, labels in manifest.families.items()},
        "names": list(dict.fromkeys(tag.partition("-")[2] for tag in manifest.tags if "-" in tag)),
        "judged": [family for family, labels in manifest.families.items() if set(labels) & set(manifest.thresholds)],
        "files": [
            {"name": file.name, "precision": file.precision, "bytes": _size(folder / file.name)}
            for file in manifest.files
        ],
        "languages": manifest.languages,
        "folder": str(folder),
    }


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _text(said: dict[str, Any]) -> str:
    heads = [f"{family} ({len(labels)})" if len(labels) > 1 else family for family, labels in said["heads"].items()]
    without = [family for family in said["heads"] if family not in said["judged"]]
    files = [
        f"{file['precision'] or file['name']} "
        + ("not there" if file["bytes"] is None else f"{file['bytes'] / (1 << 20):.1f} MiB")
        for file in said["files"]
    ]
    lines = [
        f"{said['name']}  revision {said['revision']}, {said['form']} form",
        f"  heads      {', '.join(heads)}",
        f"  names      {', '.join(said['names']) or 'none'}",
        f"  files      {', '.join(files)}",
        f"  languages  {', '.join(said['languages']) or 'not said'}",
        f"  folder     {said['folder']}",
    ]
    if without:
        lines.insert(2, f"  unjudged   {', '.join(without)}: no thresholds")
    return "\n".join(lines)


def _verify(found: Sequence[Path]) -> int:
    """Files of another precision may stay away: a wheel brings one of them. All others must be there, and right."""
    wrong = 0
    for folder in found:
        try:
            manifest = read_manifest(folder)
        except ManifestError as error:
            wrong += 1
            print(f"WRONG {error}")
            continue
        there = [file for file in manifest.files if (folder / file.name).exists()]
        for file in manifest.files:
            if there and file not in there:
                print(f"none  {folder / file.name}: is not there")
        for file in (manifest.tokenizer, *(there or manifest.files)):
            try:
                print(f"ok    {verify(folder, file)}")
            except ManifestError as error:
                wrong += 1
                print(f"WRONG {error}")
    if not found:
        print("there are no models")
    return FAILED if wrong else OK


def _build(given: argparse.Namespace) -> int:
    words = [given.source, "--task", given.task, "--precision", given.precision, "--out", str(given.out)]
    if importlib.util.find_spec("torch") is None:
        raise SettingsError(
            "build needs PyTorch, which is not installed here. In a checkout `make .venv-train/.stamp` makes the"
            " environment that has it; then: PYTHONPATH=models .venv-train/bin/python -m "
            + shlex.join([_BUILD, *words])
        )
    return subprocess.run([sys.executable, "-m", _BUILD, *words], check=False).returncode  # noqa: S603 - our own module
