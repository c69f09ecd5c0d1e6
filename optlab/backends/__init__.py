"""Who computes: the CPU (:mod:`optlab.kernels`) or the GPU (:mod:`optlab.backends.gpu`)."""
