"""Images → features: what the frames of a crop look like, and what changes among them.

causal → quantiser → encoder, which runs; decoder and readers teach it. Needs torch.
"""
