"""A tokenizer without a vocabulary: a token is at most five bytes of a word, its id those bytes as a number.

So every worker gives a text the same ids, and makes the text of them again. An id fits into a float, as JavaScript
reads numbers.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

_WORD: Final = re.compile(r"\s*\S+|\s+")
_LONGEST: Final = 5
_FIRST: Final = b"\1"
"""Stands before the bytes, so that a leading zero byte counts."""


def tokens_of(text: str) -> list[str]:
    """Parts of words, with the white space before them; joined they are the text again."""
    return [piece for word in _WORD.findall(text) for piece in _pieces(word)]


def ids_of(tokens: Iterable[str]) -> list[int]:
    return [int.from_bytes(_FIRST + token.encode(errors="surrogatepass")) for token in tokens]


def text_of(ids: Iterable[int]) -> str:
    """An id that is none of ours becomes U+FFFD, or nothing."""
    return "".join(number.to_bytes((number.bit_length() + 7) // 8)[1:].decode(errors="replace") for number in ids)


def _pieces(word: str) -> Iterator[str]:
    if word.isascii():
        yield from (word[at : at + _LONGEST] for at in range(0, len(word), _LONGEST))
        return
    piece, size = "", 0
    for character in word:
        length = len(character.encode(errors="surrogatepass"))
        if size + length > _LONGEST:
            yield piece
            piece, size = "", 0
        piece, size = piece + character, size + length
    yield piece
