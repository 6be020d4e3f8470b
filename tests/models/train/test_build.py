from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tiny_model import WORDS, tokenizer

pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("default")]  # torch warns of what we do on purpose

TEXTS = ["calm attack " * 3, "law", "doctor bomb king " * 40]


def classifier(folder: Path, kind: str = "bert", *, token: bool = False, **more: Any) -> Path:
    """A classifier of some thousand weights, drawn, as `from_pretrained` reads it."""
    import torch
    import transformers

    torch.manual_seed(5)
    shape = {
        "vocab_size": len(WORDS), "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
        "intermediate_size": 64, "max_position_embeddings": 64, "initializer_range": 0.4, **more,
    }  # fmt: skip
    if kind == "bert":
        config: Any = transformers.BertConfig(**shape)
        made: Any = transformers.BertForTokenClassification if token else transformers.BertForSequenceClassification
    else:
        config = transformers.DebertaV2Config(**shape, relative_attention=True, pos_att_type=["p2c", "c2p"])
        made = transformers.DebertaV2ForSequenceClassification
    made(config).save_pretrained(folder)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer(), cls_token="[CLS]", sep_token="[SEP]", pad_token="[PAD]", unk_token="[UNK]"
    ).save_pretrained(folder)
    return folder


def theirs(folder: Path, *texts: str, token: bool = False) -> Any:
    """The original's probabilities."""
    import torch
    import transformers

    kind = transformers.AutoModelForTokenClassification if token else transformers.AutoModelForSequenceClassification
    model = kind.from_pretrained(folder).eval()
    given = transformers.AutoTokenizer.from_pretrained(folder)(*texts, return_tensors="pt")
    with torch.no_grad():
        return model(**given).logits[0].softmax(-1).numpy()


@pytest.mark.parametrize(("kind", "precision"), [("bert", "int8"), ("bert", "fp16"), ("deberta", "int8")])
def test_a_classifier_of_two_classes(tmp_path: Path, kind: str, precision: Any) -> None:
    from lockgate_models import shelf
    from lockgate_models.train.build import main

    source = classifier(tmp_path / "hf", kind, id2label={0: "BENIGN", 1: "Jail Break"})
    assert main([str(source), "--task", "text", "--precision", precision, "--out", str(tmp_path / "mine")]) == 0
    model = shelf.load(tmp_path / "mine", shelf.Options(precision=precision))
    assert model.manifest.families == {"class": ["class.benign", "class.jail-break"]}
    assert model.manifest.window == 64
    assert model.manifest.threshold("class.jail-break") == 0.5
    found = asyncio.run(model.scores(TEXTS))
    for text, said in zip(TEXTS[:2], found, strict=False):
        assert said.labels["class.jail-break"] == pytest.approx(theirs(source, text)[1], abs=0.15)
        assert sum(said.labels.values()) == pytest.approx(1, abs=1e-3)
    model.close()


def test_more_classes_exclude_each_other_unless_the_model_says_so(tmp_path: Path) -> None:
    from lockgate_models.train.build import make

    names = {0: "a", 1: "b", 2: "c"}
    source = classifier(tmp_path / "one", id2label=names)
    made = make(str(source), task="text", precision="int8", out=tmp_path / "m1", family="kind")
    assert made.exclusive == ["kind"]
    source = classifier(tmp_path / "many", id2label=names, problem_type="multi_label_classification")
    assert make(str(source), task="text", precision="int8", out=tmp_path / "m2").exclusive == []


def test_a_pair_has_the_token_types_that_it_was_trained_with(tmp_path: Path) -> None:
    from lockgate_models import shelf
    from lockgate_models.train.build import make

    source = classifier(tmp_path / "hf", id2label={0: "fine", 1: "harm"})
    made = make(str(source), task="pair", precision="int8", out=tmp_path / "m")
    assert (made.form, made.lead) == ("pair", 21)
    model = shelf.load(tmp_path / "m")
    (found,) = asyncio.run(model.scores([("calm king", "attack law")]))
    assert found.labels["class.harm"] == pytest.approx(theirs(source, "calm king", "attack law")[1], abs=0.15)
    model.close()


def test_a_classifier_of_tokens_gives_names(tmp_path: Path) -> None:
    from lockgate_models import shelf
    from lockgate_models.train.build import make

    source = classifier(tmp_path / "hf", token=True, id2label={0: "O", 1: "B-PER", 2: "E-PER", 3: "LOC"})
    made = make(str(source), task="token", precision="int8", out=tmp_path / "m")
    assert (made.tags, made.families) == (["O", "B-PER", "I-PER", "I-LOC"], {})
    model = shelf.load(tmp_path / "m")
    (found,) = asyncio.run(model.scores(["ada king calm paris"]))
    best = theirs(source, "ada king calm paris", token=True).argmax(-1)[1:-1]
    marked = {at for name in found.names for at in range(name.start, name.end)}
    assert [start in marked for start in (0, 4, 9, 14)] == [bool(one) for one in best]
    model.close()


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"problem_type": "regression", "num_labels": 1}, "a regression"),
        ({"id2label": {0: "a b", 1: "A-B", 2: "c"}}, "two labels would have one name"),
        ({"max_position_embeddings": 8}, "8 tokens at once: too few"),
    ],
)
def test_what_can_not_be_built(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: dict[str, Any], problem: str
) -> None:
    from lockgate_models.train.build import main

    source = classifier(tmp_path / "hf", **more)
    assert main([str(source), "--task", "text", "--precision", "int8", "--out", str(tmp_path / "m")]) == 2
    assert problem in capsys.readouterr().err


def test_other_special_tokens_are_refused(tmp_path: Path) -> None:
    import transformers
    from tokenizers import processors

    from lockgate_models.train.build import BuildError, make

    source = classifier(tmp_path / "hf")
    odd = tokenizer()
    odd.post_processor = processors.TemplateProcessing(
        single="[CLS] [CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    transformers.PreTrainedTokenizerFast(tokenizer_object=odd, sep_token="[SEP]").save_pretrained(source)
    with pytest.raises(BuildError, match="other special tokens"):
        make(str(source), task="text", precision="int8", out=tmp_path / "m")
