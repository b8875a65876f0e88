"""Features with their time steps → states and outputs: liquid cells, circuits, whole sequences.

wiring → synapses → cells (flow) → liquid → export. A whole sequence is one operator: sequence
runs loops, or the kernels of a device (cpu). Without torch: native, weights → running.
"""
