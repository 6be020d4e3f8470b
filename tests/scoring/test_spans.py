from __future__ import annotations

from lockgate.scoring.spans import Span, merged


def test_spans_of_one_label_that_overlap_are_one() -> None:
    rules = [Span(0, 10, "STREET_ADDRESS", 0.6), Span(30, 40, "EMAIL_ADDRESS", 1.0)]
    names = [Span(5, 20, "STREET_ADDRESS", 0.9), Span(20, 25, "STREET_ADDRESS", 0.8)]
    assert merged(rules, names) == [
        Span(0, 20, "STREET_ADDRESS", 0.9),
        Span(20, 25, "STREET_ADDRESS", 0.8),
        Span(30, 40, "EMAIL_ADDRESS", 1.0),
    ]


def test_a_name_within_what_a_rule_found_is_left_out() -> None:
    mail = Span(10, 30, "EMAIL_ADDRESS", 1.0)
    beside = Span(5, 12, "PERSON", 0.9)
    assert merged([mail], [Span(10, 18, "PERSON", 0.9), beside]) == [beside, mail]


def test_spans_of_two_labels_may_overlap() -> None:
    both = [Span(0, 9, "US_SSN", 0.5), Span(0, 9, "PHONE_NUMBER", 0.4)]
    assert merged(both, []) == sorted(both)
