"""The GPU, through CuPy: kernels of ``cpp/cuda`` compiled at run time, launched on CuPy arrays.

:func:`~optlab.gpu.device.on_gpu` says whose arrays those are, :mod:`~optlab.gpu.compiler` makes and keeps the code,
:mod:`~optlab.gpu.gate` refuses what does not fit. Nothing here loads CuPy before a CuPy array is met.
"""
