"""From a configuration to an analyser of Presidio's. Imports Presidio, and spaCy with it, which takes seconds.

Nothing is fetched from the net: a language model has to be installed, and the list of domains that e-mail addresses are
checked against is the one that comes with its package.
"""

from __future__ import annotations

import importlib
import pkgutil
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import presidio_analyzer.predefined_recognizers  # noqa: F401 - its classes are found by name among those that exist
import spacy
import tldextract
from presidio_analyzer import AnalyzerEngine, EntityRecognizer
from presidio_analyzer.nlp_engine import NlpEngine, NlpEngineProvider, SlimSpacyNlpEngine
from presidio_analyzer.predefined_recognizers import SpacyRecognizer
from presidio_analyzer.recognizer_registry import RecognizerRegistry, RecognizerRegistryProvider
from spacy.tokens import Doc

from lockgate.errors import PolicyError
from lockgate.policy.nearest import suggest

if TYPE_CHECKING:
    from lockgate.detectors.presidio import Analyse, Nlp, PresidioConfig

_FLAGS = 26
"""Presidio's own default for patterns: DOTALL, MULTILINE, IGNORECASE."""


class WordsEngine(SlimSpacyNlpEngine):  # type: ignore[misc]
    """Cuts texts into words, which Presidio needs for the words around a finding. Needs no model: a word's lemma is the
    word in small letters."""

    def __init__(self, languages: Sequence[str]) -> None:
        super().__init__(models=[{"lang_code": language, "model_name": "blank"} for language in languages])

    def load(self) -> None:
        self.nlp = {model["lang_code"]: _blank(model["lang_code"]) for model in self.models}

    def _doc_to_nlp_artifact(self, doc: Doc, language: str) -> Any:
        for token in doc:
            token.lemma_ = token.lower_
        return super()._doc_to_nlp_artifact(doc, language)


def _blank(language: str) -> Any:
    try:
        return spacy.blank(language)
    except ImportError:
        return spacy.blank("xx")  # some languages' words need packages of their own


def load(config: PresidioConfig) -> tuple[Analyse, dict[str, Sequence[str]]]:
    """What analyses a text in a language, and for each language the entities to ask for. Raises PolicyError, whose
    problem begins with the key that is wrong."""
    tldextract.tldextract.TLD_EXTRACTOR.suffix_list_urls = ()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about recognisers that it adds by itself, and what it deprecates of its own
        nlp = _nlp(config.nlp)
        registry = _registry(config, nlp)
        languages = _languages(config, registry, nlp)
        engine = nlp if nlp is not None else WordsEngine(registry.supported_languages)
        analyser = _try(
            "recognizers", AnalyzerEngine, registry, engine, supported_languages=registry.supported_languages
        )
        asked = _entities(config, registry, languages)

    def analyse(text: str, language: str) -> Any:
        return analyser.analyze(text, language, entities=asked[language], score_threshold=config.score)

    for language in asked:
        _try("recognizers", analyse, "warm", language)  # what is made at the first text is made now
    return analyse, asked


def _try(key: str, call: Any, *given: Any, **named: Any) -> Any:
    """Presidio says what is wrong by exceptions of many classes, and spaCy's command leaves by SystemExit."""
    try:
        return call(*given, **named)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - as it says
        said = " ".join(str(error).split())[:300]
        raise PolicyError(f"{key}: Presidio can't use it ({type(error).__name__}: {said})") from None


def _nlp(given: Nlp | None) -> NlpEngine | None:
    if given is None:
        return None
    if given.file is not None:
        provider = _try("nlp", NlpEngineProvider, conf_file=given.file)
        configuration = provider.nlp_configuration
    else:
        models = [{"lang_code": language, "model_name": name} for language, name in (given.models or {}).items()]
        configuration = {"nlp_engine_name": given.engine, "models": models}
        provider = _try("nlp", NlpEngineProvider, nlp_configuration=configuration)
    if isinstance(configuration, Mapping) and configuration.get("nlp_engine_name") in ("spacy", "slim"):
        for model in configuration.get("models") or ():
            _require_model(str(model.get("model_name")))
    return _try("nlp", provider.create_engine)


def _require_model(name: str) -> None:
    """Presidio would download it, in the middle of a start."""
    if not (spacy.util.is_package(name) or Path(name).exists()):
        known = spacy.util.get_installed_models()
        hint = suggest(name, known) or f"python -m spacy download {name}"
        raise PolicyError(f"nlp: the spaCy model {name!r} is not installed", hint=hint)


def _registry(config: PresidioConfig, nlp: NlpEngine | None) -> RecognizerRegistry:
    if config.registry is not None:
        provider = _try("registry", RecognizerRegistryProvider, conf_file=config.registry, nlp_engine=nlp)
        return _without_models(_try("registry", provider.create_recognizer_registry), nlp)
    languages = list(config.languages or (nlp.get_supported_languages() if nlp is not None else ("en",)))
    _know(languages)
    if config.recognizers is None:
        provider = _try(
            "recognizers", RecognizerRegistryProvider, registry_configuration={"supported_languages": languages},
            nlp_engine=nlp,
        )  # fmt: skip
        return _without_models(_try("recognizers", provider.create_recognizer_registry), nlp)
    made = [_recognizer(name, language) for name in config.recognizers for language in languages]
    if nlp is None and any(isinstance(recognizer, SpacyRecognizer) for recognizer in made):
        raise PolicyError(
            "recognizers: one of them reads what a language model says", hint="name the model under `nlp`"
        )
    registry = RecognizerRegistry(recognizers=made, global_regex_flags=_FLAGS, supported_languages=languages)
    if nlp is not None and not any(isinstance(recognizer, SpacyRecognizer) for recognizer in made):
        _try("nlp", registry.add_nlp_recognizer, nlp)
    return registry


def _without_models(registry: RecognizerRegistry, nlp: NlpEngine | None) -> RecognizerRegistry:
    """The recognisers that read a language model's answers have none to read."""
    if nlp is None:
        registry.recognizers = [r for r in registry.recognizers if not isinstance(r, SpacyRecognizer)]
    return registry


def _know(languages: Sequence[str]) -> None:
    known = {module.name for module in pkgutil.iter_modules(spacy.lang.__path__)}
    for language in languages:
        if language not in known:
            raise PolicyError(f"languages: there is no language {language!r}", hint=suggest(language, known))


def _recognizer(name: str, language: str) -> EntityRecognizer:
    module, _, class_name = name.rpartition(":")
    if module:
        found = getattr(_try("recognizers", importlib.import_module, module), class_name, None)
    else:
        found = _existing().get(class_name)
    if found is None:
        known = list(vars(importlib.import_module(module))) if module else list(_existing())
        raise PolicyError(f"recognizers: there is no recogniser {name!r}", hint=suggest(class_name, known))
    if not (isinstance(found, type) and issubclass(found, EntityRecognizer)):
        raise PolicyError(f"recognizers: {name!r} is not a class of Presidio's EntityRecognizer")
    made = _try("recognizers", found, supported_language=language)
    if getattr(made, "global_regex_flags", _FLAGS) != _FLAGS:
        made.global_regex_flags = _FLAGS
    return made


def _existing() -> dict[str, type[EntityRecognizer]]:
    """Every class of a recogniser that has been imported."""
    found: dict[str, type[EntityRecognizer]] = {}
    left = [EntityRecognizer]
    while left:
        for kind in left.pop().__subclasses__():
            if kind.__name__ not in found:
                found[kind.__name__] = kind
                left.append(kind)
    return found


def _languages(config: PresidioConfig, registry: RecognizerRegistry, nlp: NlpEngine | None) -> list[str]:
    languages = list(config.languages or registry.supported_languages)
    served = {recognizer.supported_language for recognizer in registry.recognizers} & set(registry.supported_languages)
    for language in languages:
        if nlp is not None and language not in nlp.get_supported_languages():
            hint = suggest(language, nlp.get_supported_languages())
            raise PolicyError(f"languages: `nlp` has no model for {language!r}", hint=hint)
        if language not in served:
            raise PolicyError(f"languages: no recogniser speaks {language!r}", hint=suggest(language, served))
    return languages


def _entities(
    config: PresidioConfig, registry: RecognizerRegistry, languages: Sequence[str]
) -> dict[str, Sequence[str]]:
    known = {
        language: {
            entity
            for recognizer in registry.recognizers
            if recognizer.supported_language == language
            for entity in recognizer.supported_entities
        }
        for language in languages
    }
    everything = set().union(*known.values())
    for entity in config.entities or ():
        if entity not in everything:
            hint = suggest(entity, everything) or ("" if config.nlp else "a language model may: name one as `nlp`")
            raise PolicyError(f"entities: no recogniser finds {entity!r}", hint=hint)
    wanted = everything if config.entities is None else set(config.entities)
    return {language: sorted(entities & wanted) for language, entities in known.items() if entities & wanted}
