"""PYTEST_DONT_REWRITE. The texts of each request and the length of the answer that it asks for."""

from __future__ import annotations

from pytest_aiperf.config.input_config import InputConfig
from pytest_aiperf.dataset.length_mix import LengthMix, length_mix
from pytest_aiperf.dataset.prefixes import PrefixPool
from pytest_aiperf.dataset.streams import Streams
from pytest_aiperf.dataset.synthesis import FixedLengthPrompts, opening
from pytest_aiperf.dataset.texts import Texts, drawn_text


class Prompts:
    """Draws the prompts of one stream of a configuration.

    The first text of a conversation stands behind what the conversation begins with: a prefix of the pool, then a
    context of its own. Where all prompts have one length in words, it is that of `synthetic_prompts`.
    """

    def __init__(self, config: InputConfig, *, stream: str, texts: Texts) -> None:
        self._stream, self._texts = stream, texts
        self._batch = config.prompt_batch_size
        self._context = config.user_context_prompt_length
        self._mix = length_mix(config)
        self._fixed = _fixed_prompts(self._mix, config, stream)
        self._prefixes = PrefixPool(
            size=config.prefix_prompt_pool_size,
            length=config.prefix_prompt_length,
            seed=config.seed,
            texts=texts,
        )

    def draw(self, number: int, nth: int, streams: Streams) -> tuple[list[str], int]:
        """Return the texts and the output length of turn `nth` of conversation `number`."""
        lengths = self._mix.draw(streams)
        own = opening(number, self._stream)
        texts = []
        for place in range(nth * self._batch, (nth + 1) * self._batch):
            base = "" if place else self._beginning(own, streams)
            if place == 0 and self._fixed is not None:
                prompt = self._fixed.prompt(number)
                texts.append(f"{base} {prompt}" if base else prompt)
            else:
                first = f"{own}{place}" if place else own
                texts.append(
                    drawn_text(self._texts, base, length=lengths.isl, opening=first, streams=streams)
                )
        return texts, lengths.osl.whole(streams)

    def _beginning(self, own: str, streams: Streams) -> str:
        prefix = self._prefixes.draw(streams)
        if not self._context:
            return prefix
        return self._texts.extended(prefix, length=self._context, opening=own, rng=streams["context"])


def _fixed_prompts(mix: LengthMix, config: InputConfig, stream: str) -> FixedLengthPrompts | None:
    isl = mix.only_isl
    if isl is None or config.tokenizer is not None:
        return None
    return FixedLengthPrompts(isl=isl, seed=config.seed, stream=stream)
