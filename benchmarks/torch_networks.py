"""Networks in PyTorch with seeded random weights, for the benchmark of Core ML."""

from __future__ import annotations

from typing import Any

NETWORKS = ("resnet18", "mobilenet", "transformer")


def make(name: str) -> tuple[Any, tuple[Any, ...]]:
    """Returns a module in evaluation mode and its example inputs."""
    import torch

    torch.manual_seed(7)
    module, shape = {
        "resnet18": (_resnet18, (1, 3, 224, 224)),
        "mobilenet": (_mobilenet, (1, 3, 224, 224)),
        "transformer": (_transformer, (1, 64, 256)),
    }[name]
    return module().eval(), (torch.randn(*shape),)


def _resnet18() -> Any:
    from torch import nn

    class Block(nn.Module):
        def __init__(self, inside: int, outside: int, stride: int) -> None:
            super().__init__()
            self.first = _conv(inside, outside, 3, stride)
            self.second = nn.Sequential(*list(_conv(outside, outside, 3, 1))[:2])
            same = inside == outside and stride == 1
            self.short = (
                nn.Identity() if same else nn.Sequential(*list(_conv(inside, outside, 1, stride))[:2])
            )

        def forward(self, x: Any) -> Any:
            return nn.functional.relu(self.second(self.first(x)) + self.short(x))

    blocks: list[nn.Module] = [_conv(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1)]
    inside = 64
    for outside, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        blocks += [Block(inside, outside, stride), Block(outside, outside, 1)]
        inside = outside
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000))


def _mobilenet() -> Any:
    from torch import nn

    blocks: list[nn.Module] = [_conv(3, 32, 3, 2)]
    inside = 32
    for outside, stride in (
        (64, 1),
        (128, 2),
        (128, 1),
        (256, 2),
        (256, 1),
        (512, 2),
        *[(512, 1)] * 5,
        (1024, 2),
    ):
        blocks += [_conv(inside, inside, 3, stride, inside), _conv(inside, outside, 1, 1)]
        inside = outside
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1024, 1000))


def _conv(inside: int, outside: int, kernel: int, stride: int, groups: int = 1) -> Any:
    from torch import nn

    conv = nn.Conv2d(inside, outside, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outside), nn.ReLU())


def _transformer() -> Any:
    from torch import nn

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norms = nn.ModuleList(nn.LayerNorm(256) for _ in range(2))
            self.qkv, self.out = nn.Linear(256, 768), nn.Linear(256, 256)
            self.up, self.down = nn.Linear(256, 1024), nn.Linear(1024, 256)

        def forward(self, x: Any) -> Any:
            q, k, v = self.qkv(self.norms[0](x)).reshape(1, 64, 3, 8, 32).permute(2, 0, 3, 1, 4)
            scores = (q @ k.transpose(-1, -2) * 32**-0.5).softmax(-1)
            x = x + self.out((scores @ v).transpose(1, 2).reshape(1, 64, 256))
            return x + self.down(nn.functional.gelu(self.up(self.norms[1](x))))

    return nn.Sequential(*(Block() for _ in range(4)), nn.LayerNorm(256), nn.Linear(256, 10))
