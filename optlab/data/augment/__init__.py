"""Random changes of images that leave, or mix, what is to be seen on them; one idea a file.

An augmentation is a frozen dataclass of what it may do. ``apply(images, labels, seed, step=…, run=…)`` does it to
images (n, height, width) or (n, height, width, channels): image i is changed by numbers that are addressed by seed,
step (an epoch, say), run and i, so it can be made again alone, and the order of the others does not matter.

Training needs nothing new: ``copies`` stacks as many changed copies of a set as there are to be epochs, and the result
is a data set like any other, on which whole studies run in one compiled call.
"""

from optlab.data.augment.augmentation import Augmentation
from optlab.data.augment.blur import Blur
from optlab.data.augment.chain import Chain
from optlab.data.augment.color import Color
from optlab.data.augment.crop import Crop
from optlab.data.augment.cutmix import CutMix
from optlab.data.augment.flip import Flip
from optlab.data.augment.mixup import MixUp
from optlab.data.augment.noise import Noise
from optlab.data.augment.occlude import Occlude
from optlab.data.augment.rotate import Rotate
from optlab.data.augment.shift import Shift

__all__ = [
    "Augmentation",
    "Blur",
    "Chain",
    "Color",
    "Crop",
    "CutMix",
    "Flip",
    "MixUp",
    "Noise",
    "Occlude",
    "Rotate",
    "Shift",
]
