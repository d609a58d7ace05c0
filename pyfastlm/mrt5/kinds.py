"""What a model's ``deletion_type`` can be; :class:`~pyfastlm.mrt5.config.MrT5Config` explains them."""

from typing import Literal, get_args

Learned = Literal["scaled_sigmoid", "log_sigmoid"]
Pooling = Literal["boundary", "convolution"]
DeletionType = Literal[Learned, "random", "fixed", Pooling]

LEARNED: tuple[Learned, ...] = get_args(Learned)  # gates that a regulariser can move
POOLING: tuple[Pooling, ...] = get_args(Pooling)  # they merge rows, and have no gate
