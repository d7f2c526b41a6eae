"""torchvision's ResNet, with its module names."""

import torch.nn.functional as F
from torch import nn


class Block(nn.Module):
    """A residual block of torchvision; with `bottleneck`, the stride is in the 3x3 convolution (v1.5)."""

    def __init__(self, before: int, width: int, stride: int, bottleneck: bool):
        super().__init__()
        after = 4 * width if bottleneck else width
        shapes = [(1, before, width), (3, width, width), (1, width, after)]
        shapes = shapes if bottleneck else [(3, before, width), (3, width, after)]
        for i, (kernel, x, y) in enumerate(shapes, start=1):
            s = stride if kernel == 3 and (bottleneck or i == 1) else 1
            setattr(self, f"conv{i}", nn.Conv2d(x, y, kernel, s, kernel // 2, bias=False))
            setattr(self, f"bn{i}", nn.BatchNorm2d(y))
        self.depth = len(shapes)
        if stride > 1 or before != after:
            self.downsample = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))
        else:
            self.downsample = nn.Identity()

    def forward(self, x):
        y = x
        for i in range(1, self.depth + 1):
            y = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(y))
            y = F.relu(y) if i < self.depth else y
        return F.relu(y + self.downsample(x))


class ResNet(nn.Module):
    """torchvision's ResNet up to `fc`, which is whatever the method puts there."""

    def __init__(self, depths=(2, 1, 1, 1), bottleneck=True, width=8, fc: nn.Module | None = None):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width)
        before = width
        for i, depth in enumerate(depths):
            blocks = []
            for j in range(depth):
                blocks.append(Block(before, width * 2**i, 2 if i and not j else 1, bottleneck))
                before = width * 2**i * (4 if bottleneck else 1)
            setattr(self, f"layer{i + 1}", nn.Sequential(*blocks))
        self.dim, self.fc = before, fc or nn.Identity()

    def maps(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        maps = []
        for i in range(1, 5):
            x = getattr(self, f"layer{i}")(x)
            maps.append(x)
        return maps

    def embed(self, x):
        return self.maps(x)[-1].mean((2, 3))

    def forward(self, x):
        return self.fc(self.embed(x))
