from __future__ import annotations

from lockgate_models.labels import EXCLUSIVE, FAMILIES, LABELS, NAMES, TAGS

MODERATION = (
    "harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent", "self-harm",
    "self-harm/intent", "self-harm/instructions", "sexual", "sexual/minors", "violence", "violence/graphic",
)  # fmt: skip


def test_labels_are_unique_and_belong_to_their_family() -> None:
    assert len(set(LABELS)) == len(LABELS)
    assert all(label.split(".")[0] == family for family, labels in FAMILIES.items() for label in labels)
    assert FAMILIES.keys() >= EXCLUSIVE


def test_harm_has_the_thirteen_categories_of_the_moderation_api_and_ours() -> None:
    kinds = {label.removeprefix("harm.") for label in FAMILIES["harm"]} - {"harm"}
    assert kinds - set(MODERATION) == {"weapons", "drugs", "cyber", "fraud", "privacy"}
    assert kinds >= set(MODERATION)


def test_tags_begin_and_go_on() -> None:
    assert TAGS[0] == "O"
    assert set(TAGS[1:]) == {f"{side}-{name}" for side in "BI" for name in NAMES}
