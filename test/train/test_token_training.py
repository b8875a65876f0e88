import dataclasses
import json
import types

import numpy as np
import pytest
import yaml

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from liquid_mono3d_ros.fusion.low_rank import LowRank, add_low_rank  # noqa: E402
from liquid_mono3d_ros.fusion.reader import FusedReader, save_reader  # noqa: E402
from liquid_mono3d_ros.fusion.token_writer import install, load_tokens, save_tokens  # noqa: E402
from liquid_mono3d_ros.resources import share_path  # noqa: E402
from liquid_mono3d_ros.synth.sights import Staging, draw_sights  # noqa: E402
from liquid_mono3d_ros.train.fusion_data import NO_SLOT, encoded, slots  # noqa: E402
from liquid_mono3d_ros.train.token_training import (  # noqa: E402
    Prompter,
    TokenRecipe,
    TokenTraining,
    ask,
    follow,
    recipe_of,
)
from liquid_mono3d_ros.video.encoder import VideoEncoder, save_video  # noqa: E402

SIZE = 16
RECIPE = TokenRecipe(tokens=2, rank=2, batch=8, steps=25, learning_rate=0.02)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.q_proj = nn.Linear(SIZE, SIZE)
        self.v_proj = nn.Linear(SIZE, SIZE)

    def forward(self, x):
        q = self.q_proj(x)[:, None]
        return nn.functional.scaled_dot_product_attention(
            q, x[:, None], self.v_proj(x)[:, None], is_causal=True
        )[:, 0]


class Tiny(nn.Module):
    """One layer of attention with the names of transformers."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.words = nn.Embedding(256, SIZE)
        self.attention = Attention()
        self.head = nn.Linear(SIZE, 256)

    def get_input_embeddings(self):
        return self.words

    def get_output_embeddings(self):
        return self.head

    def base_model(self, inputs_embeds, use_cache):
        out = inputs_embeds + self.attention(inputs_embeds)
        return types.SimpleNamespace(last_hidden_state=out)


class Letters:
    def encode(self, text, add_special_tokens):
        return list(text.encode())


@pytest.fixture(scope="module")
def lessons():
    torch.manual_seed(0)
    staging = Staging(duration=1.5, video_rate=8.0, state_rate=20.0)
    return encoded(draw_sights(staging, 8, 0), VideoEncoder().eval().requires_grad_(False))


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("reader") / "reader.safetensors"
    save_reader(path, FusedReader.of_size("liquid", SIZE, 12_000, slots()), {})
    return path


def training(arm, reader, lessons, **changes):
    recipe = dataclasses.replace(RECIPE, **changes)
    prompter = Prompter(Tiny(), Letters())
    return TokenTraining(recipe, arm, prompter, reader, lessons, ask(lessons, "train", 0))


def test_only_what_has_no_slot_is_asked(lessons):
    asked = ask(lessons, "test", 0)
    assert {one.question.attribute for one in asked} <= set(NO_SLOT)
    assert {one.track for one in asked} == set(range(16))
    assert all(one.question.answer in one.options for one in asked)
    yes = np.mean([one.question.answer == "yes" for one in asked if one.question.kind == "poll"])
    assert yes == 0.5


def test_what_an_answer_costs_is_its_negative_log_likelihood():
    model, letters = Tiny(), Letters()
    tokens = torch.randn(2, 3, SIZE, generator=torch.Generator().manual_seed(0))
    cost = Prompter(model, letters).cost(tokens, ["Is it red?", "Why?"], ["no", "yes"])
    for row, (question, answer) in enumerate((("Is it red?", "no"), ("Why?", "yes"))):
        rest = letters.encode(f"\nQuestion: {question}\nAnswer: {answer}\n", False)
        ids = torch.tensor(rest)
        before = model.words(torch.tensor(letters.encode("Object: ", False)))
        whole = torch.cat([before, tokens[row], model.words(ids)])[None]
        logits = model.head(model.base_model(whole, False).last_hidden_state[0])
        long = len(answer) + 2
        chance = logits[-long - 1 : -1].log_softmax(dim=1)
        expected = -chance.gather(1, ids[-long:, None]).sum()
        torch.testing.assert_close(cost[row], expected)


@pytest.mark.parametrize("arm", ["frozen", "lora"])
def test_the_loss_falls_and_the_model_stays(arm, reader, lessons):
    one = training(arm, reader, lessons)
    before = {k: v.clone() for k, v in one.prompter.model.state_dict().items()}
    first = np.mean([float(one.improve()) for _ in range(2)])
    one.train()
    assert one.rows[0][2] > 0
    last = np.mean([float(one.improve()) for _ in range(4)])
    assert last < 0.97 * first
    moved = {
        k for k, v in one.prompter.model.state_dict().items() if not torch.equal(v, before[k])
    }
    assert moved == {k for k in before if k.endswith((".A", ".B"))}


def test_scores_and_controls(reader, lessons):
    one = training("text", reader, lessons)
    asked = ask(lessons, "test", 1)
    own = one.score(lessons, asked)
    assert sum(c["n"] for c in own.values()) == len(asked)
    assert own == one.score(lessons, asked, "swapped") == one.score(lessons, asked, "zeroed")
    frozen = training("frozen", reader, lessons)
    rows = torch.tensor([0, 5])
    assert (frozen._tokens(lessons, rows) != 0).all()
    with pytest.raises(ValueError, match=r"control must be one of .*; got 'blind'"):
        one.score(lessons, asked, "blind")


def test_tokens_come_back_from_their_file(reader, lessons, tmp_path):
    one = training("lora", reader, lessons, steps=2)
    writer = one.train()
    save_tokens(tmp_path / "tokens.safetensors", writer, one.added, {})
    again, added = load_tokens(tmp_path / "tokens.safetensors")
    m = lessons.moments
    m = dataclasses.replace(m, video=m.video.float())
    found = again(m)
    assert found.shape == (16, 2, SIZE)
    torch.testing.assert_close(found, writer(m).detach(), rtol=0.02, atol=0.02)
    model = Tiny()
    install(model, added)
    x = torch.randn(1, 4, SIZE)
    torch.testing.assert_close(
        model.attention(x), one.prompter.model.attention(x), rtol=0.01, atol=0.01
    )


def test_low_rank_begins_as_the_layer_itself():
    layer = nn.Linear(6, 4)
    x = torch.randn(3, 6)
    added = LowRank(layer, 2)
    torch.testing.assert_close(added(x), layer(x))
    with torch.no_grad():
        added.B.fill_(0.5)
    expected = layer(x) + x @ added.A.T @ added.B.T
    torch.testing.assert_close(added(x), expected)
    with pytest.raises(ValueError, match="model must be a model with layers q_proj, v_proj; got"):
        add_low_rank(nn.Linear(2, 2), 2)


def test_the_packaged_recipe_is_one():
    content = yaml.safe_load(share_path("config/recipes/tokens.yaml").read_text())
    assert recipe_of(content["training"]).rank == 8
    with pytest.raises(ValueError, match=r"training must be of .*; got rang"):
        recipe_of({"rang": 3})


def test_a_model_of_the_llama_family(reader, lessons):
    transformers = pytest.importorskip("transformers")
    config = transformers.LlamaConfig(
        vocab_size=256, hidden_size=24, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1,
    )  # fmt: skip
    prompter = Prompter(transformers.LlamaForCausalLM(config), Letters())
    assert prompter.dimension == 24
    one = TokenTraining(RECIPE, "lora", prompter, reader, lessons, ask(lessons, "train", 0))
    assert len(one.added) == 2 * 2 * 2
    first = np.mean([float(one.improve()) for _ in range(2)])
    one.train()
    assert float(one.improve()) < first
    assert one.writer.free.model == 24


def test_a_recipe_ends_in_files(reader, tmp_path):
    """With a directory of a tiny model and its tokenizer of bytes."""
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    alphabet = ["<end>", *sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())]
    core = tokenizers.Tokenizer(
        tokenizers.models.BPE({c: i for i, c in enumerate(alphabet)}, merges=[])
    )
    core.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    lm, out, path = tmp_path / "lm", tmp_path / "out", tmp_path / "recipe.yaml"
    transformers.PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<end>").save_pretrained(
        lm
    )
    config = transformers.LlamaConfig(
        vocab_size=len(alphabet), hidden_size=24, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, eos_token_id=0, bos_token_id=None,
    )  # fmt: skip
    transformers.LlamaForCausalLM(config).save_pretrained(lm)
    encoder = VideoEncoder()
    save_video(tmp_path / "video.safetensors", {"encoder": encoder}, encoder.design, {})
    content = {
        "staging": {"duration": 1.5, "video_rate": 8, "state_rate": 20},
        "training": {"scenes": 2, "batch": 8, "steps": 2, "rank": 2},
        "scores": {"test": 2},
    }
    path.write_text(yaml.safe_dump(content))
    scores = follow(path, out, lm=lm, reader=reader, video=tmp_path / "video.safetensors")
    assert set(scores) == {"questions", "frozen", "lora", "text"}
    assert scores["text"]["own"] == scores["text"]["swapped"]
    assert scores == json.loads((out / "scores.json").read_text())
    assert sorted(p.name for p in out.iterdir()) == [
        "log.csv", "scores.json", "tokens-frozen.safetensors", "tokens-lora.safetensors",
    ]  # fmt: skip
    writer, added = load_tokens(out / "tokens-lora.safetensors")
    assert writer.free.model == 24
    assert len(added) == 8
