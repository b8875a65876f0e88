"""Circuits as data: which neuron reaches which, with what sign.

Neurons are numbered motor, command, inter, as in ncps. An adjacency is indexed [from, to] and
holds +1 (excites), -1 (inhibits) or 0 (no synapse).

Source: Lechner et al., Neural circuit policies enabling auditable autonomy, 2020, section 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from liquid_mono3d_ros.checks import Array, check_shape, complain


@dataclass(frozen=True, eq=False)
class Wiring:
    """A circuit of H neurons that reads I inputs.

    Attributes:
        adjacency: Between neurons, (H, H) int8.
        sensory_adjacency: From inputs to neurons, (I, H) int8.
        kinds: "motor", "command" or "inter" of each neuron, motor first; the outputs are the
            motor neurons.
        dale: Whether a neuron excites all it reaches or inhibits all (Dale's principle); a cell
            then keeps those signs while it learns.
        seed: With which the circuit was drawn; -1 when it was not drawn at random.
    """

    adjacency: Array
    sensory_adjacency: Array
    kinds: tuple[str, ...]
    dale: bool = False
    seed: int = -1

    def __post_init__(self) -> None:
        units = len(self.kinds)
        check_shape("adjacency", self.adjacency, (units, units))
        check_shape("sensory_adjacency", self.sensory_adjacency, ("I", units))
        for name in ("adjacency", "sensory_adjacency"):
            values = np.unique(getattr(self, name))
            if not np.isin(values, (-1, 0, 1)).all():
                cure = "Weights belong to the cell, only signs to the wiring."
                raise ValueError(complain(name, "-1, 0 or 1", str(values), cure))
        mixed = (self.adjacency == 1).any(axis=1) & (self.adjacency == -1).any(axis=1)
        if self.dale and mixed.any():
            got = f"both signs from neurons {np.flatnonzero(mixed).tolist()}"
            cure = "Give each row of the adjacency one sign."
            raise ValueError(complain("dale", "False for mixed signs", got, cure))

    @property
    def units(self) -> int:
        """Number of neurons H."""
        return len(self.kinds)

    @property
    def input_size(self) -> int:
        """Number of inputs I."""
        return len(self.sensory_adjacency)

    @property
    def output_size(self) -> int:
        """Number of motor neurons; they are the first."""
        return self.kinds.count("motor")

    @property
    def sign(self) -> Array:
        """Sign of what each neuron sends, (H,) int8: +1 where it sends nothing."""
        inhibits = (self.adjacency == -1).sum(axis=1) > (self.adjacency == 1).sum(axis=1)
        sign: Array = np.where(inhibits, -1, 1).astype(np.int8)
        return sign

    @property
    def num_synapses(self) -> int:
        """Synapses between neurons and from inputs."""
        return int(np.count_nonzero(self.adjacency) + np.count_nonzero(self.sensory_adjacency))


def FullyConnected(
    units: int,
    input_size: int,
    *,
    output_size: int | None = None,
    self_connections: bool = True,
    dale: bool = False,
    seed: int = 1111,
) -> Wiring:
    """Connect everything with everything; two of three synapses excite."""
    rng = np.random.default_rng(seed)
    inner = np.ones((units, units), dtype=bool)
    inner[np.diag_indices(units)] = self_connections
    sensory = np.ones((input_size, units), dtype=bool)
    return _signed(rng, inner, sensory, _kinds(units, output_size), dale, seed, excite=2 / 3)


def Random(
    units: int,
    input_size: int,
    *,
    output_size: int | None = None,
    sparsity: float = 0.5,
    dale: bool = False,
    seed: int = 1111,
) -> Wiring:
    """Leave out the share ``sparsity`` of all synapses, drawn at random.

    Raises:
        ValueError: If ``sparsity`` is not in [0, 1).
    """
    _check_sparsity(sparsity)
    rng = np.random.default_rng(seed)
    inner, sensory = (
        _draw_mask(rng, (rows, units), round(rows * units * (1 - sparsity)))
        for rows in (units, input_size)
    )
    return _signed(rng, inner, sensory, _kinds(units, output_size), dale, seed, excite=2 / 3)


def NCP(
    input_size: int,
    inter_neurons: int,
    command_neurons: int,
    motor_neurons: int,
    *,
    sensory_fanout: int,
    inter_fanout: int,
    recurrent_command_synapses: int,
    motor_fanin: int,
    dale: bool = False,
    seed: int = 22222,
) -> Wiring:
    """Draw a circuit in four layers: sensory → inter → command (recurrent) → motor.

    Every neuron between is reached and reaches something, also when chance would not have it so.

    Raises:
        ValueError: If a fan is larger than the layer it goes to or comes from.
    """
    fans = {
        "sensory_fanout": (sensory_fanout, inter_neurons, "inter"),
        "inter_fanout": (inter_fanout, command_neurons, "command"),
        "motor_fanin": (motor_fanin, command_neurons, "command"),
    }
    for name, (fan, available, kind) in fans.items():
        if not 0 < fan <= available:
            rule = f"between 1 and the {available} {kind} neurons"
            raise ValueError(complain(name, rule, str(fan), "Choose a number in that range."))
    rng = np.random.default_rng(seed)
    kinds = ("motor",) * motor_neurons + ("command",) * command_neurons
    kinds += ("inter",) * inter_neurons
    motor, command, inter = (
        np.flatnonzero(np.array(kinds) == kind) for kind in ("motor", "command", "inter")
    )
    inner = np.zeros((len(kinds), len(kinds)), dtype=bool)
    sensory = np.zeros((input_size, len(kinds)), dtype=bool)
    sensory[:, inter] = _fan_out(rng, input_size, inter_neurons, sensory_fanout)
    inner[np.ix_(inter, command)] = _fan_out(rng, inter_neurons, command_neurons, inter_fanout)
    loops = rng.choice(command, size=(recurrent_command_synapses, 2))
    inner[loops[:, 0], loops[:, 1]] = True
    to_motor = _fan_out(rng, motor_neurons, command_neurons, motor_fanin)
    inner[np.ix_(command, motor)] = to_motor.T
    return _signed(rng, inner, sensory, kinds, dale, seed, excite=1 / 2)


def AutoNCP(
    units: int,
    input_size: int,
    output_size: int,
    *,
    sparsity: float = 0.5,
    dale: bool = False,
    seed: int = 22222,
) -> Wiring:
    """Draw an ``NCP`` from the number of neurons and outputs alone, by the rule of ncps.

    Raises:
        ValueError: If fewer than three neurons are left beside the outputs.
    """
    _check_sparsity(sparsity)
    if not 0 < output_size < units - 2:
        rule = f"between 1 and units - 3 = {units - 3}"
        raise ValueError(complain("output_size", rule, str(output_size), "Add units."))
    density = 1 - sparsity
    command = max(int(0.4 * (units - output_size)), 1)
    inter = units - output_size - command
    return NCP(
        input_size,
        inter,
        command,
        output_size,
        sensory_fanout=max(int(inter * density), 1),
        inter_fanout=max(int(command * density), 1),
        recurrent_command_synapses=max(int(command * density * 2), 1),
        motor_fanin=max(int(command * density), 1),
        dale=dale,
        seed=seed,
    )


def from_ncps(wiring: Any) -> Wiring:
    """Read a wiring of ncps, built for its inputs: the same synapses, signs and outputs.

    Raises:
        ValueError: If the wiring does not know its inputs yet.
    """
    if wiring.sensory_adjacency_matrix is None:
        cure = "Call wiring.build(input_size) first."
        raise ValueError(complain("wiring", "built", "one without inputs", cure))
    kinds = tuple(wiring.get_type_of_neuron(neuron) for neuron in range(wiring.units))
    inner, sensory = (
        np.asarray(matrix).astype(np.int8)
        for matrix in (wiring.adjacency_matrix, wiring.sensory_adjacency_matrix)
    )
    return Wiring(inner, sensory, kinds)


def _signed(
    rng: np.random.Generator,
    inner: Array,
    sensory: Array,
    kinds: tuple[str, ...],
    dale: bool,
    seed: int,
    excite: float,
) -> Wiring:
    rows = (len(inner), 1) if dale else inner.shape
    polarity, of_inputs = (
        np.where(rng.random(shape) < excite, 1, -1) for shape in (rows, sensory.shape)
    )
    return Wiring(
        (inner * polarity).astype(np.int8),
        (sensory * of_inputs).astype(np.int8),
        kinds,
        dale,
        seed,
    )


def _kinds(units: int, output_size: int | None) -> tuple[str, ...]:
    motor = units if output_size is None else output_size
    if not 0 < motor <= units:
        rule = f"between 1 and the {units} units"
        raise ValueError(complain("output_size", rule, str(motor), "Choose fewer outputs."))
    return ("motor",) * motor + ("inter",) * (units - motor)


def _check_sparsity(sparsity: float) -> None:
    if not 0 <= sparsity < 1:
        cure = "0 leaves every synapse."
        raise ValueError(complain("sparsity", "at least 0 and below 1", str(sparsity), cure))


def _draw_mask(rng: np.random.Generator, shape: tuple[int, int], count: int) -> Array:
    mask = np.zeros(shape[0] * shape[1], dtype=bool)
    mask[rng.choice(len(mask), size=count, replace=False)] = True
    return mask.reshape(shape)


def _fan_out(rng: np.random.Generator, sources: int, targets: int, fan: int) -> Array:
    """Reach ``fan`` targets from each source; a target nobody reached gets its fair share."""
    reached = np.zeros((sources, targets), dtype=bool)
    for source in range(sources):
        reached[source, rng.choice(targets, size=fan, replace=False)] = True
    share = int(np.clip(sources * fan // targets, 1, sources))
    for target in np.flatnonzero(~reached.any(axis=0)):
        reached[rng.choice(sources, size=share, replace=False), target] = True
    return reached


def layers(wiring: Wiring) -> Sequence[tuple[str, Array]]:
    """Return the kinds a circuit has with the numbers of their neurons, in reading order."""
    kinds = np.array(wiring.kinds)
    found = ((kind, np.flatnonzero(kinds == kind)) for kind in ("inter", "command", "motor"))
    return [(kind, neurons) for kind, neurons in found if len(neurons)]
