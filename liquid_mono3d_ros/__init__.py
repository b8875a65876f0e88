"""Images of a moving object → 3D paths with covariance → words.

Read left to right: tracking → geometry → liquid → language. ``pipeline.py`` is the whole
road on one page.
"""
