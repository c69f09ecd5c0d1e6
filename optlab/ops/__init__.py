"""The kernels under every network, on plain arrays: products, normalization, dense passes and losses.

Each comes forward, backward and as a derivative in a direction. Every function is pure, takes float32 or float64 arrays
in C order, writes into ``out=`` where it is given and gives the same bits for every number of threads.
"""

from optlab.ops.matmul import matmul

__all__ = ["matmul"]
