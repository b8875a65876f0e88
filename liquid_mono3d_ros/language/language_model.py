"""A causal language model in torch: pieces of text and embedding in, words out, one by one."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from liquid_mono3d_ros.checks import Array, complain
from liquid_mono3d_ros.language.backend import check_deadline

HASH_FILE = "sha256"
"""Beside the weights, so that their hash need not be computed at every start."""


class LanguageModel:
    """Any LLaMA-family model that transformers can read, on the CPU in float32, greedy.

    A prompt is a sequence of pieces: text, or an embedding (k, D) that is put between the words'
    own embeddings. A text that prompts begin with can be kept: it is then read only once.

    Attributes:
        dimension: D, the size of a word's embedding, read from the model.
        hash: sha256 of the weights.
    """

    def __init__(self, model: Any, tokenizer: Any, weights_hash: str = "") -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.hash = weights_hash
        self.dimension: int = model.get_input_embeddings().weight.shape[1]
        self._kept: dict[str, Any] = {}

    @classmethod
    def load(cls, directory: Path, *, threads: int = 1) -> LanguageModel:
        """Read a directory with config.json, safetensors and a tokenizer; nothing is downloaded.

        Args:
            directory: As written by ``save_pretrained`` or ``liquid-mono3d fetch``.
            threads: For torch, of the whole process; 0 leaves it as it is.

        Raises:
            FileNotFoundError: If there is no model; the text says how to get one.
            ImportError: If torch or transformers is missing.
        """
        if not (directory / "config.json").is_file():
            raise FileNotFoundError(
                complain(
                    "weights",
                    "a directory with config.json",
                    str(directory),
                    "Get the small model with: liquid-mono3d fetch smollm2",
                )
            )
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils import logging

        logging.disable_progress_bar()
        if threads:
            torch.set_num_threads(threads)
        model = AutoModelForCausalLM.from_pretrained(
            directory, dtype=torch.float32, local_files_only=True, use_safetensors=True
        )
        tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True)
        return cls(model, tokenizer, weights_hash(directory))

    def embed_words(self, words: Sequence[str]) -> Array:
        """Return the mean input embedding of each word's tokens, (n, D) float32."""
        table = self.model.get_input_embeddings().weight
        rows = [table[self._ids(f" {word}")].mean(dim=0) for word in words]
        return np.stack([row.detach().numpy() for row in rows])

    def keep(self, prefix: str) -> None:
        """Read a text that prompts begin with, so that it need not be read again."""
        import torch
        from transformers import DynamicCache

        cache = DynamicCache()
        with torch.inference_mode():
            ids = torch.tensor([self._ids(prefix)])
            self._read(cache, input_ids=ids)
        self._kept[prefix] = cache

    def write(
        self,
        pieces: Sequence[str | Array],
        *,
        max_new_tokens: int,
        stop: str = "\n",
        on_token: Callable[[str], None] | None = None,
        deadline: float | None = None,
        temperature: float = 0.0,
    ) -> tuple[str, bool]:
        """Continue a prompt.

        Args:
            pieces: The prompt; text, or embeddings (k, D).
            max_new_tokens: Longest answer.
            stop: Ends the answer and is not part of it; empty for never.
            on_token: Gets the text piece by piece; what it raises ends the writing.
            deadline: On the clock of ``time.monotonic``, s.
            temperature: 0 takes the likeliest token; above, tokens are drawn with a fixed seed.

        Returns:
            The text, and whether the model ended it itself.

        Raises:
            BackendFailure: If the deadline passes.
            ValueError: If an embedding is not of the model's dimension.
        """
        import torch

        generator = torch.Generator().manual_seed(0)
        ids: list[int] = []
        said = ""
        with torch.inference_mode():
            for logits in self._steps(pieces, ids, max_new_tokens, deadline):
                token = _choose(logits, temperature, generator)
                if token in self._ends():
                    return said, True
                ids.append(token)
                text = self.tokenizer.decode(ids, skip_special_tokens=True)
                if text.endswith("\ufffd"):  # half a character
                    continue
                ended = bool(stop) and stop in text.lstrip()
                text = text.lstrip().partition(stop)[0] if stop else text.lstrip()
                if on_token is not None and len(text) > len(said):
                    on_token(text[len(said) :])
                said = text
                if ended:
                    return said, True
        return said, False

    def _steps(
        self, pieces: Sequence[str | Array], ids: list[int], most: int, deadline: float | None
    ) -> Iterator[Any]:
        """Yield the logits of the next token; the caller appends each token to ``ids``."""
        import torch

        pieces, cache = self._begin(pieces)
        embedded = self._embed(pieces)
        for _ in range(most):
            check_deadline(deadline)
            yield self._read(cache, inputs_embeds=embedded)
            embedded = self.model.get_input_embeddings()(torch.tensor([ids[-1:]]))

    def _read(self, cache: Any, **words: Any) -> Any:
        """Read words on from a cache; return the logits of the next one, (vocabulary,)."""
        out = self.model(**words, past_key_values=cache, use_cache=True, logits_to_keep=1)
        return out.logits[0, -1]

    def _begin(self, pieces: Sequence[str | Array]) -> tuple[Sequence[str | Array], Any]:
        """Return what is left to read after the longest kept prefix, and a copy of its cache."""
        from transformers import DynamicCache

        first = pieces[0] if pieces else ""
        if isinstance(first, str):
            for prefix in sorted(self._kept, key=len, reverse=True):
                if first.startswith(prefix):
                    rest = [first[len(prefix) :], *pieces[1:]]
                    return rest, copy.deepcopy(self._kept[prefix])
        return pieces, DynamicCache()

    def _embed(self, pieces: Sequence[str | Array]) -> Any:
        """Return the embeddings of a prompt, (1, T, D)."""
        import torch

        rows = []
        for piece in pieces:
            if isinstance(piece, str):
                if piece:
                    ids = torch.tensor(self._ids(piece), dtype=torch.long)
                    rows.append(self.model.get_input_embeddings()(ids))
            elif piece.ndim != 2 or piece.shape[1] != self.dimension:
                rule = f"of shape (k, {self.dimension})"
                raise ValueError(
                    complain("tokens", rule, f"shape {piece.shape}", "Train them for this model.")
                )
            else:
                rows.append(torch.from_numpy(np.ascontiguousarray(piece, dtype=np.float32)))
        return torch.cat(rows)[None]

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False)
        return ids

    def _ends(self) -> set[int]:
        end = self.model.generation_config.eos_token_id
        ends = end if isinstance(end, list) else [end]
        return {token for token in (*ends, self.tokenizer.eos_token_id) if token is not None}


def _choose(logits: Any, temperature: float, generator: Any) -> int:
    import torch

    if temperature <= 0:
        return int(logits.argmax())
    chances = torch.softmax(logits / temperature, dim=-1)
    return int(torch.multinomial(chances, 1, generator=generator))


def weights_hash(directory: Path) -> str:
    """Return the sha256 of the weights: of the file beside them, else of all safetensors."""
    written = directory / HASH_FILE
    if written.is_file():
        return written.read_text(encoding="ascii").strip()
    digest = hashlib.sha256()
    for path in sorted(directory.glob("*.safetensors")):
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
