"""Soups: the weights of several checkpoints of one architecture, fused into one more checkpoint.

The verb is `soup`. A recipe is one frozen dataclass in one file; none imports another. Tensors are
read, fused and written a part at a time: memory does not grow with the checkpoints.

- base: what every recipe is, the registry of all, and the part of a tensor that it fuses
- soup: the verb and its result
- options: what it is asked for, checked
- sources: what it is given as checkpoints, opened and named
- scoring: the score of each checkpoint, of the soup, and of the midpoints between checkpoints
- blend: the tensors of the soup, computed part by part
- alignment: checkpoints that have other tensors are refused; tensors that are not fused
- lora: adapters are averaged by their products, not factor by factor
- checkpoints: what a checkpoint is: named tensors, read a part at a time
- folders: which checkpoints a folder holds, and in which order a run wrote them
- safetensors_file: files of safetensors, read and written a part at a time
- torch_file: files of PyTorch, mapped into memory, weights only
- shards: a checkpoint in several files with an index
- output: the soup as one file or as a folder, whole or not at all
- batch_norm: running statistics of batch norm, taken anew
- uniform: equal weights
- weighted: weights that are given
- greedy: checkpoints that raise the score, one after the other
- swa: the last checkpoints of a run, with equal weights
- ema: the checkpoints of a run, the later the more
- slerp: two checkpoints along the arc between them
- task_arithmetic: the sum of what each checkpoint changed in its base
- ties: the changes, trimmed and without those of the lesser sign
- dare: the changes, most of them dropped at random and the rest enlarged

>>> import torch
>>> from assay.soups.soup import soup
>>> fused = soup([{"w": torch.tensor([1.0, 2.0])}, {"w": torch.tensor([3.0, 4.0])}])
>>> fused.state_dict()["w"]
tensor([2., 3.])
"""
