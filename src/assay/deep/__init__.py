"""Deep fusion: networks joined by their features into one network; a pool distilled into one.

The verbs are `fuse_networks` and `distill`. What they make is an ordinary network of its framework:
a torch.nn.Module or a keras.Model. PyTorch and Keras are imported when a network of theirs comes.

- fuse_networks: the verb: which networks, joined how, for which task
- fused_network: what is joined, and what trains it
- distill: the verb: what a pool says, learnt by one student
- options: what both are asked for, checked; inputs divided among branches; the truth
- judging: the losses of the fused network, of each branch alone and without each branch
- feature_cache: features of frozen branches, kept by a fingerprint
- deep_fusion: the result of training a fused network
- distillation: the result of training a student
- torch_layers: branches, joins and head as modules of PyTorch
- torch_rows: rows of arrays and loaders of PyTorch; features of frozen branches
- torch_learner: what is trained of a fused network of PyTorch
- torch_training: epochs until the validation loss no longer falls, and the best weights back
- torch_network: networks of PyTorch fused into one
- torch_student: a student of PyTorch
- keras_layers: branches, joins and head as layers of Keras
- keras_training: rows as arrays, epochs until the validation loss no longer falls
- keras_network: networks of Keras fused into one
- keras_student: a student of Keras

>>> import torch
>>> from assay.deep.fuse_networks import fuse_networks
>>> x = torch.randn(60, 4, generator=torch.Generator().manual_seed(0))
>>> y = (x[:, 0] > x[:, 3]).long()
>>> net = fuse_networks({"a": torch.nn.Linear(4, 3), "b": torch.nn.Linear(4, 5)}, n_classes=2)
>>> fused = net.fit((x[:40], y[:40]), (x[40:], y[40:]), epochs=2)
>>> net.module(x).shape, [branch.width for branch in fused.branches]
(torch.Size([60, 2]), [3, 5])
"""
