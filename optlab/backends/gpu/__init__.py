"""The GPU, through CuPy: kernels of ``cpp/cuda`` compiled at run time, launched on CuPy arrays.

:func:`~optlab.backends.gpu.device.on_gpu` says whose arrays those are, :mod:`~optlab.backends.gpu.compiler` makes and
keeps the code, :mod:`~optlab.backends.gpu.gate` refuses what does not fit. Nothing here loads
CuPy before a CuPy array is met.
"""
