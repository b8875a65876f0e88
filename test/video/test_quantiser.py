import math

import pytest

torch = pytest.importorskip("torch")

from liquid_mono3d_ros.video.quantiser import (  # noqa: E402
    SHARPNESS,
    code_losses,
    quantise,
    tokens,
)


def test_a_latent_becomes_its_signs_and_the_gradient_passes():
    z = torch.tensor([-0.3, 0.0, 0.2, 4.0], requires_grad=True)
    bits = quantise(z)
    assert bits.tolist() == [-1, -1, 1, 1]
    (bits * torch.tensor([1.0, 2.0, 3.0, 4.0])).sum().backward()
    assert z.grad.tolist() == [1, 2, 3, 4]


def test_bit_c_of_a_code_is_the_sign_of_channel_c():
    z = torch.tensor([1.0, -1.0, 1.0, 1.0])[:, None, None].expand(4, 2, 3)
    assert tokens(z).shape == (2, 3)
    assert (tokens(z) == 0b1101).all()


def latents(rows):
    """Return (1, 1, C, 1, S) of S codes."""
    return torch.tensor(rows, dtype=torch.float32).T[None, None, :, None]


def test_sure_bits_and_all_codes_alike_are_best():
    sure = 20 * latents([[-1, -1], [-1, 1], [1, -1], [1, 1]])
    entropy, _ = code_losses(sure)
    assert float(entropy) == pytest.approx(-math.log(2), abs=1e-6)
    collapsed = 20 * latents([[1, 1]] * 4)
    assert float(code_losses(collapsed)[0]) == pytest.approx(0, abs=1e-6)
    undecided = 0 * sure
    assert float(code_losses(undecided)[0]) == pytest.approx(0, abs=1e-6)


def test_the_entropy_is_that_of_the_probabilities_of_all_codes():
    z = torch.randn(1, 2, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    flat = z.movedim(2, -1).reshape(-1, 3)
    codes = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * 3)
    p = torch.softmax(SHARPNESS / 2 * flat @ codes.T, dim=1)
    mean = p.mean(dim=0)
    want = -(p * p.log()).sum(dim=1).mean() + (mean * mean.log()).sum()
    assert float(code_losses(z)[0]) == pytest.approx(float(want) / 3, abs=1e-5)


def test_commitment_is_the_distance_from_the_bits():
    assert float(code_losses(latents([[1, -1], [3, -1]]))[1]) == pytest.approx(4 / 4)
