from __future__ import annotations

from lockgate.scoring.evaluation import Head, Report
from lockgate.scoring.matching import Matched
from lockgate_models.figures import Cut, Figures, Value
from lockgate_proxy.eval_text import text

HALF = Value(0.5, 0.25, 0.75)
HEAD = Head(
    "injection",
    0.91234,
    Figures(20, 10, HALF, HALF, HALF, HALF, HALF, HALF),
    {"one": Figures(10, 10, recall=HALF), "two": Figures(10, 0, fpr=HALF)},
    None,
    Cut(0.01, 0.95, 1, 100, 0.01, 0.0466, 0.5),
)


def test_tables() -> None:
    spans = {"names": {"any": Matched(4, 2, 2, 2, characters=8, given=4, shared=4), "PERSON": Matched(4, 0, 0, 0)}}
    said = text(Report("tiny@1", 20, 3, 0, 0, [HEAD], HALF, spans))
    assert said == (
        "tiny@1: 20 rows judged; 3 not labelled with what is asked\n"
        "\n"
        "                    n  pos  precision  recall     F1  flagged  AUPRC       95 %   R@1%       95 %\n"
        "injection ≥ 0.912  20   10      0.500   0.500  0.500    0.500  0.500  0.25–0.75  0.500  0.25–0.75\n"
        "  one              10   10          –   0.500      –        –      –                 –\n"
        "  two              10    0          –       –      –    0.500      –                 –\n"
        "\n"
        "advice: mean F1 of its words 0.500 (0.25–0.75)\n"
        "\n"
        "threshold for  rate        at  flagged   of  measured  upper 95 %  recall\n"
        "injection      0.01  0.950000        1  100    0.0100      0.0466   0.500\n"
        "\n"
        "spans     in truth  given  precision  recall     F2  characters F1\n"
        "names\n"
        "  any            4      2      1.000   0.500  0.556          0.667\n"
        "  PERSON         4      0          –   0.000  0.000              –"
    )


def test_nothing_is_said_of_nothing() -> None:
    assert text(Report("tiny@1", 0, 0, 2, 1, [], None, {})) == (
        "tiny@1: 0 rows judged; 2 bad, 1 in part in a language that the model does not know"
    )
