from __future__ import annotations

import pytest

from lockgate.detectors import language
from lockgate.detectors.language import language_of
from lockgate.exchange import Exchange, Segment

EXCHANGE = Exchange("01", "chat")


def segment(text: str) -> Segment:
    return Segment("/a", "user", "text", text)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Could you tell me when the next train to the coast leaves?", "en"),
        ("Kannst du mir sagen, wann der nächste Zug an die Küste fährt?", "de"),
        ("¿Puedes decirme a qué hora sale el próximo tren hacia la costa?", "es"),
        ("Pouvez-vous me dire quand part le prochain train pour la côte ?", "fr"),
        ("你能告诉我下一班去海边的火车什么时候开吗？我想今天下午出发。", "zh"),
        ("Скажите, пожалуйста, когда отходит следующий поезд к морю? Мы хотим поехать туда вечером.", "ru"),
        ("Скажите, пожалуйста, когда отходит следующий поезд к морю?", "und"),  # or a neighbour of it
        ("Bonjour", None),  # too short to say
        ("1234 5678 9012 3456 7890 1234 5678 9012", None),
        ("def add(a, b): return a + b; print(add(1, 2)) # {x: y} <=> [z]", None),
        ("\x00\ud800\ufdd0 \x1b[0m" * 10, None),
        ("", None),
    ],
)
def test_the_language_of_a_text(text: str, code: str | None) -> None:
    assert language_of(text) == code


async def test_sentences_in_other_languages_are_found() -> None:
    detector = language.build(language.LanguageConfig.model_validate({"allowed": "en"}))
    german = "Kannst du mir sagen, wann der nächste Zug an die Küste fährt?"
    found = await detector.detect([segment("All of this sentence is in English."), segment(german)], EXCHANGE)
    assert [(f.label, f.span) for f in found] == [("OTHER_LANGUAGE", (0, len(german)))]
