import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from liquid_mono3d_ros.bench import learning, learning_data  # noqa: E402

DOCS = Path(__file__).parents[2] / "docs"
KINDS = learning.LIQUID + learning.BASELINES
VERDICTS = ("better", "undecided", "worse")


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("inputs", "outputs"), [(2, 1), (12, 9)])
def test_every_kind_has_about_as_many_parameters(kind, inputs, outputs):
    units = learning._units(kind, inputs, outputs)
    count = learning.Model(kind, inputs, units, outputs).num_parameters
    assert abs(count - learning.PARAMETERS) < 0.05 * learning.PARAMETERS


def test_synapses_that_a_circuit_lacks_are_not_counted():
    model = learning.Model("wired", 3, 30, 2)
    lacking = model.num_parameters
    assert lacking < sum(p.numel() for p in model.parameters())
    x, dt = torch.randn(4, 9, 3), torch.rand(4, 9)
    model(x, dt).square().sum().backward()
    synapses = model.layer.cell.synapses
    assert (synapses.U.grad[synapses.U_mask == 0] == 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_filled_up_behind_the_last_sample_changes_nothing(kind):
    torch.manual_seed(0)
    model = learning.Model(kind, 3, 12, 2)
    x, dt, last = torch.randn(2, 9, 3), torch.rand(2, 9), torch.tensor([8, 4])
    out = learning._at(model(x, dt), last)
    x[1, 5:], dt[1, 5:] = 7.0, 0.0
    torch.testing.assert_close(learning._at(model(x, dt), last), out)
    torch.testing.assert_close(out[1], model(x[1:, :5], dt[1:, :5])[0, -1])


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_hears_the_time(kind):
    torch.manual_seed(0)
    model = learning.Model(kind, 3, 12, 2)
    x, dt = torch.randn(2, 9, 3), torch.rand(2, 9)
    assert (model(x, dt)[:, -1] - model(x, 0.5 * dt)[:, -1]).abs().max() > 1e-4


def test_the_state_of_a_gru_d_decays():
    cell = learning.GRUD(1, 4)
    torch.nn.init.ones_(cell.decay.weight)
    torch.nn.init.zeros_(cell.decay.bias)
    x = torch.randn(1, 3, 1)
    forgets = cell(x, torch.tensor([[1.0, 1.0, 1e3]]))
    torch.testing.assert_close(forgets[:, 2], cell(x[:, 2:], torch.ones(1, 1))[:, 0])


def test_training_beats_the_mean_and_repeats_bit_for_bit():
    (one, score), (other, again) = (
        learning.train("sine", "adaptive", 0, 30, 0.5) for _ in range(2)
    )
    assert score == again
    for mine, theirs in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    assert score < 0.95, "the mean scores 1"


def test_a_short_measurement(monkeypatch, capsys):
    monkeypatch.setattr(learning, "vowels_folder", lambda: None)
    monkeypatch.setattr(learning_data, "TRAINING", 64)
    monkeypatch.setattr(learning_data, "UNSEEN", 32)
    given = {"seeds": 2, "steps": 2, "missing": (0.7,), "kinds": ("adaptive", "lstm")}
    report = learning.measure(**given)
    assert "None of aeon, sktime is installed: no rows for vowels." in capsys.readouterr().out
    assert [(row["task"], row["model"]) for row in report.rows] == [
        *(("sine", "adaptive"), ("sine", "lstm")),
        *(("motions", "adaptive"), ("motions", "lstm")),
        *(("sine", "adaptive"), ("motions", "adaptive")),
    ]
    json.dumps(report.document())


def page_rows():
    """Yield the first cells and the others, by the model above them, of the page's tables."""
    for line in (DOCS / "liquid.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0] in ("task", "against the best baseline"):
            models = [cell for cell in cells if cell in KINDS]
        elif cells[0] in (*learning_data.TASKS, *VERDICTS):
            first = len(cells) - len(models)
            yield tuple(cells[:first]), dict(zip(models, cells[first:], strict=True))


def test_the_page_quotes_the_report():
    """The tables in docs/liquid.md are those of docs/bench/learning.json."""
    rows = json.loads((DOCS / "bench" / "learning.json").read_text(encoding="utf-8"))["rows"]
    page = dict(page_rows())
    for row in rows:
        if "mean" in row:
            quoted = page[row["task"], f"{row['missing_percent']} %"][row["model"]]
            digits = 3 if row["task"] == "sine" else 1
            assert quoted == f"{row['mean']:.{digits}f} ± {row['spread']:.{digits}f}"
    for verdict in VERDICTS:
        count = Counter(row["model"] for row in rows if row.get("verdict") == verdict)
        assert page[verdict,] == {model: str(count[model]) for model in learning.LIQUID}
    assert len(page) == len(learning_data.TASKS) * len(learning.MISSING) + len(VERDICTS)


def test_time_constants_of_a_trained_cell_move_within_their_bounds():
    model, _ = learning.train("sine", "adaptive", 0, 30)
    x, dt, _, _ = learning._tensors(learning_data.sine(np.random.default_rng(1), 1))
    taus = learning.tau_over_time(model, x[0], dt[0])
    assert taus.shape == (len(x[0]), model.layer.cell.units)
    assert taus.min() > 0.01
    assert taus.max() < 10.0
    assert np.log(taus).std(axis=0).max() > 0.05
