"""Who computes: the compiled module for this processor (:mod:`optlab.kernels.select`)."""
