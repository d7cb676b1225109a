"""Prompts whose length is exact in tokens."""

from __future__ import annotations

import json
import re
import sys
import types

import pytest

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.rng import derive
from pytest_aiperf.config.input_config import InputConfig
from pytest_aiperf.dataset.synthetic_dataset import synthetic_dataset
from pytest_aiperf.dataset.texts import TokenTexts


class Pieces:
    """A tokenizer of our own: words of up to three letters, as byte-pair encoders have them, with the blank before."""

    pattern = " ?[a-z]{1,3}| ?[A-Z]| ?[^a-zA-Z]"

    def __init__(self):
        self._ids = {}

    def encode(self, text):
        return [self._ids.setdefault(piece, len(self._ids)) for piece in re.findall(self.pattern, text)]

    def decode(self, ids):
        pieces = list(self._ids)
        return "".join(pieces[i] for i in ids)


class Letters(Pieces):
    """A token is a letter."""

    pattern = "."


class Merging(Pieces):
    """Pairs of one letter are one token, wherever they come from: half of a pair, cut off, is another token."""

    pattern = r" ?(?:ee|oo|ss|ll|nt|[a-zA-Z0-9])"


class Forgetful(Pieces):
    """Does not give back what it was given."""

    def decode(self, ids):
        return super().decode(ids) + "|||"


def made(tokenizer, **options):
    """Conversations of a configuration, with this in place of the package's tokenizer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pytest_aiperf.dataset.texts.local_tokenizer", lambda path: tokenizer)
        return synthetic_dataset(InputConfig(tokenizer="tokenizer.json", **options), count=40)


@pytest.mark.parametrize("kind", [Pieces, Letters, Merging])
@pytest.mark.parametrize("isl", [8, 64, 500])
def test_prompts_are_exact_in_tokens(kind, isl):
    tokenizer = kind()
    texts = [one.turns[0].text for one in made(tokenizer, isl=isl)]
    assert {len(tokenizer.encode(text)) for text in texts} == {isl}
    assert len({text.split()[0] for text in texts}) == len(texts)


@pytest.mark.parametrize("kind", [Pieces, Letters, Merging])
def test_a_prompt_behind_a_prefix_and_a_context_is_as_long_as_all_three(kind):
    tokenizer = kind()
    options = {"prefix_prompt_pool_size": 2, "prefix_prompt_length": 30, "user_context_prompt_length": 20}
    dataset = made(tokenizer, isl=50, shared_system_prompt_length=25, **options)
    texts = [one.turns[0].text for one in dataset]
    assert {len(tokenizer.encode(text)) for text in texts} == {100}
    assert len(tokenizer.encode(dataset[0].system)) == 25
    assert len({tuple(tokenizer.encode(text)[:30]) for text in texts}) == 2
    assert len({tuple(tokenizer.encode(text)[:40]) for text in texts}) == 40


def test_a_drawn_length_leaves_room_for_a_beginning_of_its_own():
    tokenizer = Letters()
    texts = [one.turns[0].text for one in made(tokenizer, isl=6, isl_stddev=20)]
    assert len({text.split()[0] for text in texts}) == len(texts)
    assert min(len(text) for text in texts) >= 3


def test_a_length_without_room_for_a_beginning_of_its_own_is_refused():
    with pytest.raises(
        ConfigurationError, match=r"1 tokens is too short .* 'Pa' takes 2 with this tokenizer; ask"
    ):
        made(Letters(), isl=1)[0]


def test_a_tokenizer_that_does_not_give_back_what_it_was_given_is_refused():
    with pytest.raises(
        ConfigurationError, match=r"no text of exactly 9 tokens .* leave the option tokenizer out"
    ):
        TokenTexts(Forgetful()).extended("", length=9, opening="Pa", rng=derive(1, "test"))


def test_without_the_package_the_error_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(
        ConfigurationError, match=r"^tokenizer=\S+ takes .* pip install 'pytest-aiperf\[tokenizers\]'$"
    ):
        synthetic_dataset(InputConfig(tokenizer=str(tmp_path / "t.json")), count=1)


class Stub:
    """What the package `tokenizers` does with a file."""

    @staticmethod
    def from_buffer(data):
        raise Exception(f"expected value at line 1 column 1, after {data[:3]!r}")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.json", "cannot be read: there is no such file; give the path"),
        ("wrong.json", "is not a tokenizer.json: exp"),
    ],
)
def test_a_tokenizer_that_cannot_be_read_is_told(monkeypatch, tmp_path, name, message):
    monkeypatch.setitem(sys.modules, "tokenizers", types.SimpleNamespace(Tokenizer=Stub))
    (tmp_path / "wrong.json").write_text("no")
    with pytest.raises(ConfigurationError, match=message):
        synthetic_dataset(InputConfig(tokenizer=str(tmp_path / name)), count=1)


def byte_pair(tokenizers):
    """Trained on the corpus, as GPT's are: bytes, merged; words with the blank before them."""
    from tokenizers import decoders, models, pre_tokenizers, trainers

    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer, trainers.BpeTrainer(
        vocab_size=400, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )


def sentence_piece(tokenizers):
    """As Llama's first ones are: a mark for the blank, and one before the text."""
    from tokenizers import decoders, models, pre_tokenizers, trainers

    tokenizer = tokenizers.Tokenizer(models.BPE(byte_fallback=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    alphabet = [chr(c) for c in range(ord("A"), ord("z"))] + list("0123456789:")
    return tokenizer, trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, show_progress=False)


def word_piece(tokenizers):
    """As BERT's are: lower case, pieces of words with a mark, special tokens around."""
    from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    alphabet = list("abcdefghijklmnopqrstuvwxyz0123456789")
    return tokenizer, trainers.WordPieceTrainer(
        vocab_size=300, initial_alphabet=alphabet, special_tokens=["[UNK]", "[CLS]"], show_progress=False
    )


@pytest.mark.parametrize("kind", [byte_pair, sentence_piece, word_piece])
def test_prompts_are_exact_in_the_tokens_of_a_real_tokenizer(tmp_path, kind):
    tokenizers = pytest.importorskip("tokenizers", reason="the extra tokenizers is not installed")
    from pytest_aiperf.dataset.corpus import WORDS

    tokenizer, trainer = kind(tokenizers)
    tokenizer.train_from_iterator([" ".join(WORDS)], trainer)
    tokenizer.enable_truncation(max_length=4)
    file = tmp_path / "tokenizer.json"
    file.write_text(json.dumps(json.loads(tokenizer.to_str())))
    tokenizer.no_truncation()
    options = {"prefix_prompt_pool_size": 2, "prefix_prompt_length": 30, "isl": 100}
    dataset = synthetic_dataset(InputConfig(tokenizer=str(file), **options), count=50)
    texts = [one.turns[0].text for one in dataset]
    assert {len(tokenizer.encode(text, add_special_tokens=False).ids) for text in texts} == {130}
    assert len(set(texts)) == 50
