"""The model side: texts in, scores out.

This storey knows texts, scores and the files that models are made of. It knows no policy and no HTTP server, and
imports nothing from the two storeys above it (`lockgate`, `lockgate_proxy`).

What it will hold: scores, manifests, tokens and windows, the queue and the batcher, the backends (ONNX, Open Inference
Protocol), classifiers, and the recipes that make the shipped models. No rule of this release needs a model, so it is
empty so far.
"""
