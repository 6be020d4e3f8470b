"""Whether letters read like English, as they stand or under a simple cipher: told by which letter follows which.

A number from 0 to 9 says how likely a letter is behind another one. English has 6 and more in the mean, other languages in
Latin script little less, ciphered or reversed English 5 and less.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

_ROWS = """
076655545633565652567436040 704550351504758040767453151 573208001630710700642700070 670527007506520800536500030
960147120600322600450531030 862565331301547342765143430 860107600700600800615500020 860018056600425640642600030
781019000700113700415400030 653655550004658630577150202 572138112512102820231801011 851018122701426410361301040
772267300703730632154422060 775108200700451760150500060 850576370523313610067330040 733443642303567550756746120
770028005600720750756600030 571000010200310100102900000 862458240604444630466431050 950417105603332650057503030
861307008700310720554403041 764546250501657450777000021 460009000800000500020100010 770017008800305700541003010
861617103600221370118411340 932215010400332740264102000 872218113712422621222422256
"""
"""Behind a word's border, then behind a to z: a border, then a to z. 9 - 0.5 is every second time, each less half as often.
From 19 million characters of English requests and texts."""

_COLUMNS = 27
_NEXT = bytes(int(digit) for digit in _ROWS if digit.isdigit())
_PLACE = bytes(code - 96 if 97 <= code <= 122 else code - 64 if 65 <= code <= 90 else 0 for code in range(256))
_FREQUENT = (82, 15, 28, 43, 127, 22, 20, 61, 70, 2, 8, 40, 24, 67, 75, 19, 1, 60, 63, 91, 28, 10, 24, 2, 20, 1)
"""Of a thousand letters of English, a to z."""

_WORD = re.compile(r"[A-Za-z]+")
_ODD = 5.2
"""A word whose letters are less likely than this is odd. So are some names."""
_ENGLISH = 5.7
_GAIN = 0.6
_WIDENED, _DOUBTFUL = 2, 1.5  # so many words beside a stretch go with it, if they lose no more than this
LEAST = 16
"""Letters of which something can be said."""


def likely(text: str) -> float:
    """How much `text` reads like English, 0 to 9. What is no ASCII letter is a border."""
    places = text.encode("ascii", "replace").translate(_PLACE)
    total = count = before = 0
    for place in places:
        if place or before:
            total += _NEXT[before * _COLUMNS + place]
            count += 1
        before = place
    if before:
        total += _NEXT[before * _COLUMNS]
        count += 1
    return total / count if count else 0.0


class _Cipher(NamedTuple):
    name: str
    read: Callable[[str], str]


_SHORT = 12
"""Letters of a word whose likelihood is kept: a text's words are other texts' words."""


@lru_cache(maxsize=8192)
def _likely_short(word: str) -> float:
    return likely(word)


@lru_cache(maxsize=8192)
def _likely_short_as(cipher: _Cipher, word: str) -> float:
    return likely(cipher.read(word))


def _likely_word(word: str) -> float:
    return _likely_short(word) if len(word) <= _SHORT else likely(word)


def _likely_as(cipher: _Cipher, word: str) -> float:
    return _likely_short_as(cipher, word) if len(word) <= _SHORT else likely(cipher.read(word))


def _shift(by: int) -> Callable[[str], str]:
    small = "".join(chr(97 + (i + by) % 26) for i in range(26))
    table = str.maketrans("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", small + small.upper())
    return lambda text: text.translate(table)


def _mirrored() -> Callable[[str], str]:
    small = "zyxwvutsrqponmlkjihgfedcba"
    table = str.maketrans("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", small + small.upper())
    return lambda text: text.translate(table)


_REVERSED = _Cipher("reversed", lambda text: text[::-1])
_ATBASH = _Cipher("atbash", _mirrored())
_SHIFTS = [_Cipher(f"rot{by}", _shift(by)) for by in range(26)]
rot13 = _SHIFTS[13].read


def odd(text: str) -> bool:
    """Whether `text` has letters enough that read like no English: else nothing in it is deciphered."""
    return sum(len(word) for word in _WORD.findall(text) if _likely_word(word) < _ODD) >= LEAST // 2


def deciphered(text: str) -> Iterator[tuple[str, str]]:
    """Stretches of `text` that read like English in a cipher, and not as they stand: (the cipher's name, what they say).
    ROT13 and the other shifts of the alphabet, Atbash, and letters in reversed order."""
    words = [(found.group(), found.start(), found.end()) for found in _WORD.finditer(text)]
    if sum(end - start for _, start, end in words) < LEAST:
        return
    plain = [_likely_word(word) for word, _, _ in words]
    strange = "".join(word for (word, _, _), score in zip(words, plain, strict=True) if score < _ODD)
    if len(strange) < LEAST // 2:
        return
    tried = {13, _likeliest_shift(strange)} - {0}
    for cipher in (*(_SHIFTS[by] for by in sorted(tried)), _ATBASH, _REVERSED):
        run = _best_run(words, plain, cipher)
        if run is None:
            continue
        stretch = text[words[run[0]][1] : words[run[1]][2]]
        yield cipher.name, cipher.read(stretch)
        if cipher is _REVERSED:  # word by word, or all of it
            yield cipher.name, _WORD.sub(lambda found: found.group()[::-1], stretch)


def _likeliest_shift(letters: str) -> int:
    """The shift under which these letters are as frequent as English has them."""
    counts = [0] * 26
    for place in letters.encode().translate(_PLACE):
        counts[place - 1] += 1
    return max(range(26), key=lambda by: sum(n * _FREQUENT[(i + by) % 26] for i, n in enumerate(counts)))


def _best_run(words: list[tuple[str, int, int]], plain: list[float], cipher: _Cipher) -> tuple[int, int] | None:
    """First and last of the words side by side that gain most by being deciphered."""
    best = now = 0.0
    first = 0
    found: tuple[int, int] | None = None
    said = [_likely_as(cipher, word) for word, _, _ in words]
    for i, ((word, _, _), before, after) in enumerate(zip(words, plain, said, strict=True)):
        if now <= 0:
            now, first = 0.0, i
        now += (after - before - 0.2) * (len(word) + 1)
        if now > best:
            best, found = now, (first, i)
    if found is None:
        return None
    low, high = found[0], found[1] + 1
    lengths = [len(word) + 1 for word, _, _ in words[low:high]]
    letters = sum(lengths)
    if letters - len(lengths) < LEAST:
        return None
    mean = sum(n * score for n, score in zip(lengths, said[low:high], strict=True)) / letters
    if mean < _ENGLISH or best < (_GAIN - 0.2) * letters:
        return None
    gains = [after - before for before, after in zip(plain, said, strict=True)]
    while low > max(found[0] - _WIDENED, 0) and gains[low - 1] > -_DOUBTFUL:
        low -= 1
    while high < min(found[1] + 1 + _WIDENED, len(words)) and gains[high] > -_DOUBTFUL:
        high += 1
    return low, high - 1
