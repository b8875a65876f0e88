import math

import pytest

torch = pytest.importorskip("torch")

from liquid_mono3d_ros.fusion.reader import (  # noqa: E402
    SYSTEMS,
    FusedReader,
    load_reader,
    save_reader,
)
from liquid_mono3d_ros.fusion.slots import Slot, SlotHeads, slot_loss  # noqa: E402
from liquid_mono3d_ros.fusion.tokens import (  # noqa: E402
    FreeTokens,
    SlotTokens,
    assemble,
    slot_words,
)

SLOTS = {
    "colour": Slot(("red", "green", "blue")),
    "blinking": Slot(("no", "yes")),
    "nearer_colour": Slot(("red", "green", "blue"), pair=True),
}


@pytest.fixture
def heads():
    torch.manual_seed(0)
    return SlotHeads(12, SLOTS).requires_grad_(False)


def test_heads_read_objects_and_pairs(heads):
    logits = heads.read(torch.randn(4, 2, 12))
    assert {name: tuple(one.shape) for name, one in logits.items()} == {
        "colour": (4, 2, 3),
        "blinking": (4, 2, 2),
        "nearer_colour": (4, 1, 3),
    }


def test_a_pair_is_read_from_both(heads):
    a, b = torch.randn(2, 4, 12)
    before = heads.compare(a, b)["nearer_colour"]
    for other in (heads.compare(a, 2 * b), heads.compare(2 * a, b)):
        assert (other["nearer_colour"] != before).any(dim=1).all()


def test_what_does_not_apply_costs_nothing():
    logits = {"colour": torch.zeros(2, 2, 3)}
    label = {"colour": torch.tensor([[1, -1], [-1, -1]])}
    assert float(slot_loss(logits, label)) == pytest.approx(math.log(3))
    logits["colour"][:, 1] = torch.tensor([50.0, 0.0, -50.0])
    assert float(slot_loss(logits, label)) == pytest.approx(math.log(3))
    assert float(slot_loss(logits, {"colour": torch.full((2, 2), -1)})) == 0.0


def table(count, size=16, seed=0):
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed))


def test_a_slot_token_is_the_expected_word():
    words = {"colour": table(4), "blinking": table(3, seed=1)}
    tokens = SlotTokens(words)
    logits = {
        "colour": torch.tensor([[0.0, 80.0, 0.0], [0.0, 0.0, 0.0]]),
        "blinking": torch.tensor([[math.log(3.0), 0.0], [0.0, 80.0]]),
    }
    found = tokens(logits)
    assert found.shape == (2, 4, 16)
    torch.testing.assert_close(found[:, 0], words["colour"][0].expand(2, -1))  # its name
    torch.testing.assert_close(found[0, 1], words["colour"][2])
    torch.testing.assert_close(found[1, 1], words["colour"][1:].mean(dim=0))
    torch.testing.assert_close(found[0, 3], words["blinking"][1:].T @ torch.tensor([0.75, 0.25]))
    assert torch.equal(tokens(logits, ["blinking"]), found[:, 2:])


def test_words_of_slots_can_be_said():
    words = slot_words(SLOTS)
    assert words["nearer_colour"] == ("nearer colour", "red", "green", "blue")
    assert words["blinking"] == ("blinking", "steady", "blinking")


def test_free_tokens_have_the_level_and_size_of_words():
    torch.manual_seed(0)
    free = FreeTokens(12, 48, count=5, level=0.2)
    tokens = free(torch.randn(200, 12)).detach()
    assert tokens.shape == (200, 5, 48)
    assert float(tokens.square().mean().sqrt()) == pytest.approx(0.2, rel=0.1)
    assert (tokens[0] != tokens[1]).any(dim=1).all()


def test_tokens_are_put_together():
    assert assemble(torch.zeros(3, 4, 16), torch.ones(3, 2, 16)).shape == (3, 6, 16)
    with pytest.raises(ValueError, match="parts must be of one batch and one model; got"):
        assemble(torch.zeros(3, 4, 16), torch.ones(3, 2, 8))


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_reader_comes_back_from_its_file(system, moments, tmp_path):
    torch.manual_seed(0)
    reader = FusedReader.of_size(system, 12, 12_000, SLOTS).eval()
    save_reader(tmp_path / "reader.safetensors", reader, {"seed": 0})
    again = load_reader(tmp_path / "reader.safetensors")
    assert again.heads.slots == SLOTS
    assert again.system == system
    torch.testing.assert_close(again(moments), reader(moments).detach())


@pytest.mark.parametrize(("system", "hidden"), [("vision", "states"), ("3d", "video")])
def test_a_system_of_one_stream_does_not_see_the_other(system, hidden, moments, change):
    reader = FusedReader.of_size(system, 12, 12_000, SLOTS).eval().requires_grad_(False)
    if hidden == "video":
        other = change(moments, video=5 + moments.video)
    else:
        other = change(moments, states=change(moments.states, range=3 * moments.states.range))
    assert torch.equal(reader(other), reader(moments))
    both = FusedReader.of_size("liquid", 12, 12_000, SLOTS).requires_grad_(False)
    assert (both(other) != both(moments)).any(dim=1).all()


def test_an_unknown_system_or_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"system must be one of vision, 3d, .*; got 'sound'"):
        FusedReader("sound", 12, 8, SLOTS)
    from liquid_mono3d_ros.liquid.rnn.weights import write_weights

    write_weights(tmp_path / "other.safetensors", {})
    with pytest.raises(ValueError, match="path must be a file of `liquid-mono3d train fusion`"):
        load_reader(tmp_path / "other.safetensors")
