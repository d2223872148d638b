"""The golden networks written in PyTorch.

The shipped models carry this file's line numbers; after an edit, train them again.
"""

from __future__ import annotations

from torch import Tensor, cat, nn
from torch.nn import functional


class DigitsCNN(nn.Module):
    """Convolutions, batch normalisation and max pooling: [N, 1, 8, 8] -> logits [N, 10]."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(32)
        self.conv3 = nn.Conv2d(32, 64, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Linear(64, 10)

    def forward(self, image: Tensor) -> Tensor:
        x = functional.relu(self.norm1(self.conv1(image)))
        x = functional.relu(self.norm2(self.conv2(x)))
        x = self.pool(x)
        x = functional.relu(self.conv3(x))
        x = x.mean(dim=(2, 3))
        return self.head(x)


class DigitsGRU(nn.Module):
    """A GRU that reads a digit row by row: [1, 8, 8] -> logits [1, 10]."""

    def __init__(self, hidden: int = 48) -> None:
        super().__init__()
        self.gru = nn.GRU(8, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 10)

    def forward(self, rows: Tensor) -> Tensor:
        states, _ = self.gru(rows)
        return self.head(states[:, -1])


class SqueezeExcite(nn.Module):
    """Scale each channel by a gate computed from all channels' means."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, squeezed, 1)
        self.expand = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        gate = functional.relu(self.reduce(functional.adaptive_avg_pool2d(x, 1)))
        return x * functional.hardsigmoid(self.expand(gate))


class InvertedResidual(nn.Module):
    """Widen, filter each channel by itself, gate, narrow; add the input if shapes allow."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.widen = nn.Conv2d(inputs, wide, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(wide)
        self.depthwise = nn.Conv2d(wide, wide, kernel, stride, padding=kernel // 2, groups=wide, bias=False)
        self.norm2 = nn.BatchNorm2d(wide)
        self.gate = SqueezeExcite(wide, wide // 4)
        self.narrow = nn.Conv2d(wide, outputs, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(outputs)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = functional.hardswish(self.norm1(self.widen(x)))
        y = functional.hardswish(self.norm2(self.depthwise(y)))
        y = self.norm3(self.narrow(self.gate(y)))
        return x + y if self.residual else y


class MobileSE(nn.Module):
    """A small mobile classifier: [1, 3, 40, 40] -> logits [1, 7]."""

    def __init__(self, classes: int = 7) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, stride=2, padding=1, bias=False)
        self.stem_norm = nn.BatchNorm2d(16)
        self.blocks = nn.Sequential(
            InvertedResidual(16, 16, kernel=3, stride=1, expansion=2),
            InvertedResidual(16, 24, kernel=3, stride=2, expansion=3),
            InvertedResidual(24, 24, kernel=3, stride=1, expansion=3),
            InvertedResidual(24, 32, kernel=5, stride=2, expansion=3),
            InvertedResidual(32, 32, kernel=5, stride=1, expansion=3),
        )
        self.last = nn.Conv2d(32, 96, 1, bias=False)
        self.last_norm = nn.BatchNorm2d(96)
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(96, classes)

    def forward(self, image: Tensor) -> Tensor:
        x = functional.hardswish(self.stem_norm(self.stem(image)))
        x = self.blocks(x)
        x = functional.hardswish(self.last_norm(self.last(x)))
        x = functional.adaptive_avg_pool2d(x, 1).flatten(1)
        return self.head(self.dropout(x))


class ConvNormSiLU(nn.Module):
    """A 3x3 convolution, batch normalisation and SiLU."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return functional.silu(self.norm(self.conv(x)))


class Detector(nn.Module):
    """Two scales joined, two heads: [1, 1, 48, 48] -> classes [1, 11, 6, 6], boxes [1, 4, 6, 6]."""

    def __init__(self) -> None:
        super().__init__()
        self.down2 = ConvNormSiLU(1, 12, stride=2)
        self.down4 = ConvNormSiLU(12, 24, stride=2)
        self.down8 = ConvNormSiLU(24, 32, stride=2)
        self.down16 = ConvNormSiLU(32, 48, stride=2)
        self.lateral = nn.Conv2d(48, 24, 1)
        self.neck = ConvNormSiLU(32 + 24, 40)
        self.class_head = nn.Conv2d(40, 11, 1)
        self.box_head = nn.Conv2d(40, 4, 1)

    def forward(self, scene: Tensor) -> tuple[Tensor, Tensor]:
        fine = self.down8(self.down4(self.down2(scene)))
        coarse = self.lateral(self.down16(fine))
        wide = functional.interpolate(coarse, scale_factor=2.0, mode="nearest")
        x = self.neck(cat([fine, wide], dim=1))
        return self.class_head(x), self.box_head(x).sigmoid()
