"""A language model of half a megabyte: random weights, byte tokens, and an output that cannot end early.

A llama of 2 layers (more make it slower), 64 wide, written with the `gguf` package; nothing is downloaded.
The same arguments give the same bytes: `RandomState` is the numpy generator whose stream is frozen.

Random weights alone would end a sequence whenever the end token happens to come up, and would emit bytes
that are no UTF-8. Both follow from what may be sampled, so that is built into the weights: some of the 64
dimensions are reserved, no layer writes to them, and they carry a token's embedding unchanged to the
output. Dimension 0 is the same positive number for every token; an output row that is strongly negative
there is never sampled, at any temperature. What is left are the bytes of `ALPHABET`, one token each and one
message each in a stream: `max_tokens` is what one gets.

The further reserved dimensions are a chain: the newline that ends a chat prompt leads to the first blank,
each blank to the next, the last one to ordinary text. A blank is a control token: it takes its time, and
has no text.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

import gguf
import numpy as np

WIDTH: Final = 64
FEED_FORWARD: Final = 128
HEADS: Final = 4
CONTEXT: Final = 8192
MAX_BLANKS: Final = 16

ALPHABET: Final = b"abcdefghijklmnopqrstuvwxyz "
ANY_BYTE: Final = bytes(range(256))
"""No UTF-8 in general: from the first byte that starts no character the server holds all text back to the end
and then sends it in one burst, with an empty message for each such byte."""

_SPECIAL: Final = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|pad|>"]
_BIAS: Final = 0
_CONSTANT: Final = 2.0
_LEAD: Final = 10.0  # above _CONSTANT, so that a chain outweighs the ban on its next blank
_NEVER: Final = 1000.0  # ordinary logits stay below 20


def write_model(
    path: Path, *, seed: int = 0, layers: int = 2, alphabet: bytes = ALPHABET, blanks: int = 0
) -> Path:
    """Write the model to `path` and return it.

    Args:
        path: File to write.
        seed: Of the random weights.
        layers: How deep; 2 hardly weigh against the server's own work for a token.
        alphabet: Bytes that may be sampled; others, and the end of the sequence, never are.
        blanks: Tokens without text before the first one with text, at most `MAX_BLANKS`.
    """
    if not 0 <= blanks <= MAX_BLANKS:
        raise ValueError(f"blanks is {blanks}, must be 0 to {MAX_BLANKS}: each takes a dimension")
    names = _byte_names()
    blank_names = [f"<|blank_{k}|>" for k in range(MAX_BLANKS)]
    tokens = [*names, *_SPECIAL, *blank_names]
    writer = gguf.GGUFWriter(path, "llama")
    _describe(writer, layers=layers)
    _add_tokenizer(writer, tokens, n_bytes=len(names))
    for name, tensor in _tensors(
        np.random.RandomState(seed), tokens, layers=layers, alphabet=alphabet, blanks=blanks
    ):
        writer.add_tensor(name, tensor.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _describe(writer: gguf.GGUFWriter, *, layers: int) -> None:
    writer.add_name("tiny-random")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)


def _add_tokenizer(writer: gguf.GGUFWriter, tokens: list[str], *, n_bytes: int) -> None:
    kinds = [gguf.TokenType.NORMAL if k < n_bytes else gguf.TokenType.CONTROL for k in range(len(tokens))]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_vocab_size(len(tokens))
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    # The loader wants a merge table. This pair is no UTF-8, so no prompt has it, and its result is no token.
    writer.add_token_merges([f"{tokens[0xFE]} {tokens[0xFF]}"])
    writer.add_bos_token_id(tokens.index("<|endoftext|>"))
    writer.add_eos_token_id(tokens.index("<|endoftext|>"))
    writer.add_eot_token_id(tokens.index("<|im_end|>"))
    writer.add_pad_token_id(tokens.index("<|pad|>"))
    writer.add_add_bos_token(False)


def _byte_names() -> list[str]:
    """The 256 byte tokens as byte-level BPE spells them: printable ones as they are, others from U+0100."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(b) if b in printable else chr(next(others)) for b in range(256)]


def _tensors(
    rng: np.random.RandomState, tokens: list[str], *, layers: int, alphabet: bytes, blanks: int
) -> list[tuple[str, np.ndarray]]:
    reserved = 1 + MAX_BLANKS
    first_blank = len(tokens) - MAX_BLANKS

    embedding = rng.standard_normal((len(tokens), WIDTH))
    embedding[:, :reserved] = 0
    embedding[:, _BIAS] = _CONSTANT
    output = rng.standard_normal((len(tokens), WIDTH)) * 0.4
    output[:, :reserved] = 0
    allowed = np.zeros(len(tokens), dtype=bool)
    allowed[list(set(alphabet))] = True
    output[~allowed, _BIAS] = -_NEVER

    before = ord("\n")
    for k in range(blanks):
        embedding[before, 1 + k] = _LEAD
        output[first_blank + k, 1 + k] = _NEVER
        before = first_blank + k

    def weight(rows: int, columns: int) -> np.ndarray:
        return rng.standard_normal((rows, columns)) / np.sqrt(columns)

    def into_residual(columns: int) -> np.ndarray:
        w = weight(WIDTH, columns)
        w[:reserved] = 0
        return w

    tensors = [("token_embd.weight", embedding)]
    for layer in range(layers):
        block = f"blk.{layer}"
        tensors += [
            (f"{block}.attn_norm.weight", np.ones(WIDTH)),
            (f"{block}.attn_q.weight", weight(WIDTH, WIDTH)),
            (f"{block}.attn_k.weight", weight(WIDTH, WIDTH)),
            (f"{block}.attn_v.weight", weight(WIDTH, WIDTH)),
            (f"{block}.attn_output.weight", into_residual(WIDTH)),
            (f"{block}.ffn_norm.weight", np.ones(WIDTH)),
            (f"{block}.ffn_gate.weight", weight(FEED_FORWARD, WIDTH)),
            (f"{block}.ffn_up.weight", weight(FEED_FORWARD, WIDTH)),
            (f"{block}.ffn_down.weight", into_residual(FEED_FORWARD)),
        ]
    return [*tensors, ("output_norm.weight", np.ones(WIDTH)), ("output.weight", output)]


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a tiny random GGUF model.")
    parser.add_argument("path", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--blanks", type=int, default=0, help="tokens without text before the first one with text"
    )
    parser.add_argument("--any-byte", action="store_true", help="may sample bytes that are no UTF-8")
    args = parser.parse_args()
    alphabet = ANY_BYTE if args.any_byte else ALPHABET
    print(write_model(args.path, seed=args.seed, alphabet=alphabet, blanks=args.blanks))


if __name__ == "__main__":
    main()
