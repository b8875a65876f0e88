"""A tiny random model of the LLaMA family, and the real one where it was fetched."""

import re
import time

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
tokenizers = pytest.importorskip("tokenizers")

from liquid_mono3d_ros.language.backend import BackendFailure  # noqa: E402
from liquid_mono3d_ros.language.causal_lm import (  # noqa: E402
    CausalBackend,
    CausalSettings,
    FactsBackend,
    FactsSettings,
    find_weights,
)
from liquid_mono3d_ros.language.language_model import LanguageModel, weights_hash  # noqa: E402
from liquid_mono3d_ros.language.verified import Verified  # noqa: E402
from liquid_mono3d_ros.language.verifier import check  # noqa: E402
from liquid_mono3d_ros.records import Facts, Label, Quantity  # noqa: E402

D = 16
FACTS = Facts(
    9, "map", 3, 0, 1, 9, colour=Label("red", 0.9), path_length=Quantity(2.612, 0.03)
)  # fmt: skip


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """A model of 2 layers with random weights, and a tokenizer of bytes."""
    folder = tmp_path_factory.mktemp("tiny")
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {c: i for i, c in enumerate(["<end>", *alphabet])}
    core = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, merges=[]))
    core.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = tokenizers.decoders.ByteLevel()
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<end>")
    fast.save_pretrained(folder)
    config = transformers.LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=D,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        eos_token_id=0,
        bos_token_id=None,
    )
    torch.manual_seed(0)
    model = transformers.LlamaForCausalLM(config)
    with torch.no_grad():
        for weights in model.parameters():
            weights.mul_(8)  # else every prompt has the same answer
    model.save_pretrained(folder)
    return folder


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def model(directory, threads):
    return LanguageModel.load(directory, threads=1)


def say(model, *pieces, **arguments):
    return model.write(pieces, **{"max_new_tokens": 12, "stop": "", **arguments})[0]


def test_dimension_threads_and_hash_are_those_of_the_model(model, directory):
    assert model.dimension == D
    assert torch.get_num_threads() == 1
    assert re.fullmatch("[0-9a-f]{64}", model.hash)
    (directory / "sha256").write_text("abc\n")
    assert weights_hash(directory) == "abc"
    (directory / "sha256").unlink()


def test_greedy_words_are_those_of_transformers(model):
    ids = model.tokenizer("Object:", add_special_tokens=False, return_tensors="pt").input_ids
    out = model.model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False,
        pad_token_id=0,
    )  # fmt: skip
    expected = model.tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True)
    assert say(model, "Object:").rstrip("\ufffd") == expected.lstrip().rstrip("\ufffd")


def test_embeddings_of_words_read_as_the_words(model):
    table = model.model.get_input_embeddings().weight.detach().numpy()
    ids = model.tokenizer.encode("red", add_special_tokens=False)
    assert say(model, "A ", table[ids], " box:") == say(model, "A red box:")
    np.testing.assert_allclose(
        model.embed_words(["red"])[0],
        table[model.tokenizer.encode(" red", add_special_tokens=False)].mean(axis=0),
        atol=1e-6,
    )


def test_tokens_change_what_is_said(model):
    rng = np.random.default_rng(0)
    said = {say(model, "A ", rng.normal(0, 8, (3, D)), " box:") for _ in range(6)}
    assert len(said) > 1


def test_a_kept_prefix_changes_nothing_however_often_it_is_used(model):
    plain = [say(model, f"Some examples.\nObject {k}:") for k in range(3)]
    model.keep("Some examples.\n")
    assert [say(model, f"Some examples.\nObject {k}:") for k in (0, 1, 2)] == plain
    assert say(model, "Some examples.\nObject 0:") == plain[0]
    assert say(model, "Other:") == say(model, "Other:")


def test_pieces_are_heard_as_they_are_written(model):
    heard = []
    text = say(model, "Object:", on_token=heard.append)
    assert "".join(heard) == text
    assert len(heard) > 1


def test_what_hears_can_end_the_writing(model):
    class Enough(Exception):  # noqa: N818
        pass

    def hear(piece):
        raise Enough

    before = say(model, "Object:")
    with pytest.raises(Enough):
        say(model, "Object:", on_token=hear)
    assert say(model, "Object:") == before


def test_a_text_ends_at_its_mark_or_its_longest(model):
    text, ended = model.write(["Object:"], max_new_tokens=12, stop="")
    assert not ended
    mark = text[4]
    cut, ended = model.write(["Object:"], max_new_tokens=12, stop=mark)
    assert (cut, ended) == (text.partition(mark)[0], True)
    assert len(say(model, "Object:", max_new_tokens=1)) <= 1


def test_a_second_attempt_is_drawn_with_a_fixed_seed(model):
    warm = say(model, "Object:", temperature=3.0)
    assert warm == say(model, "Object:", temperature=3.0)
    assert warm != say(model, "Object:")


def test_a_deadline_ends_it(model):
    with pytest.raises(BackendFailure, match="deadline"):
        say(model, "Object:", deadline=time.monotonic() - 1)


def test_tokens_of_another_model_are_refused(model):
    with pytest.raises(
        ValueError, match=rf"tokens must be of shape \(k, {D}\); got shape \(3, 9\)"
    ):
        say(model, "A ", np.zeros((3, 9)))


def test_backends_write_and_are_verified(directory, threads):
    tokens = np.ones((2, D), np.float32)
    for backend in (
        CausalBackend(CausalSettings(weights=str(directory), max_new_tokens=8)),
        FactsBackend(FactsSettings(weights=str(directory), max_new_tokens=8)),
    ):
        raw = backend.describe(FACTS, tokens)
        assert raw.backend == backend.name
        assert raw.model_hash == weights_hash(directory)
        assert not raw.verified
        assert backend.describe(FACTS, tokens, question="Is it red?") is not None
        words = Verified(backend).describe(FACTS, tokens)
        assert words.verified
        assert all(one.supported for one in check(words.text, FACTS))


def test_without_tokens_the_template_speaks(directory, threads):
    verified = Verified(CausalBackend(CausalSettings(weights=str(directory))))
    assert verified.describe(FACTS).backend == "template"
    assert verified.failures == {"no_tokens": 1}


def test_missing_weights_say_how_to_get_them(tmp_path):
    verified = Verified(FactsBackend(FactsSettings(weights=str(tmp_path / "none"))))
    with pytest.raises(FileNotFoundError, match="liquid-mono3d fetch smollm2"):
        verified.load()
    assert verified.describe(FACTS).backend == "template"
    assert verified.failures == {"FileNotFoundError": 1}


SMOLLM2 = find_weights("smollm2")


@pytest.mark.weights
@pytest.mark.skipif(not SMOLLM2.is_dir(), reason="run: liquid-mono3d fetch smollm2")
class TestSmolLM2:
    @pytest.fixture(scope="class")
    def backend(self):
        before = torch.get_num_threads()
        backend = FactsBackend()
        backend.load()
        yield backend
        torch.set_num_threads(before)

    def test_it_is_what_was_converted(self, backend):
        assert backend.model.dimension == 576
        assert len(backend.model.hash) == 64

    def test_it_knows_english(self, backend):
        text, _ = backend.model.write(["The capital of France is"], max_new_tokens=4)
        assert "Paris" in text

    def test_embedded_words_are_read(self, backend):
        model = backend.model
        table = model.model.get_input_embeddings().weight.detach().numpy()
        ids = model.tokenizer.encode(" France", add_special_tokens=False)
        text, _ = model.write(["The capital of", table[ids], " is"], max_new_tokens=4)
        assert "Paris" in text

    def test_its_words_are_verified(self, backend):
        words = Verified(backend).describe(FACTS)
        assert words.verified
        assert all(one.supported for one in check(words.text, FACTS))
