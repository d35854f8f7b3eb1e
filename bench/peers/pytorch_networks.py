"""The project's models in PyTorch, layer by layer as models/*.cpp describes them."""

import functools


def cnn(nn, image_size, classes):
    layers, channels, side = [], 3, image_size
    for filters in (32, 64, 128):
        layers += [nn.Conv2d(channels, filters, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        channels, side = filters, side // 2
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.5), nn.Linear(side * side * channels, 128), nn.ReLU(),
                         nn.Linear(128, classes))


def mlp(nn, image_size, classes):
    return nn.Sequential(
        nn.Flatten(), nn.Linear(image_size**2 * 3, 256), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(256, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, classes))


# Expansion, filters, blocks, stride of the first block (Sandler et al., CVPR 2018, table 2).
MOBILENET_STAGES = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]


def scaled(channels, width):
    """To a multiple of 8, and not below nine tenths, as in Keras."""
    rounded = max(8, int(channels * width + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * channels * width else rounded + 8


def mobilenetv2(nn, image_size, classes, width=1.0):
    """Strided convolutions pad a zero behind and none in front where the size is even, as Keras' do."""

    def norm(channels):
        return nn.BatchNorm2d(channels, eps=1e-3, momentum=1e-3)

    def convolution(size, source, filters, kernel, stride, groups=1):
        """The layers, and the size behind them."""
        after = -(-size // stride)
        total = max((after - 1) * stride + kernel - size, 0)
        before, behind = total // 2, total - total // 2
        layers = []
        if before != behind:
            layers.append(nn.ZeroPad2d((before, behind, before, behind)))
        padding = before if before == behind else 0
        layers += [nn.Conv2d(source, filters, kernel, stride, padding, groups=groups, bias=False), norm(filters)]
        return layers, after

    class InvertedResidual(nn.Module):
        def __init__(self, size, source, expanded, filters, stride):
            super().__init__()
            layers = []
            if expanded != source:
                layers += [*convolution(size, source, expanded, 1, 1)[0], nn.ReLU6(inplace=True)]
            depthwise, self.size = convolution(size, expanded, expanded, 3, stride, groups=expanded)
            layers += [*depthwise, nn.ReLU6(inplace=True), *convolution(self.size, expanded, filters, 1, 1)[0]]
            self.layers = nn.Sequential(*layers)
            self.adds = stride == 1 and source == filters

        def forward(self, x):
            return x + self.layers(x) if self.adds else self.layers(x)

    channels = scaled(32, width)
    stem, size = convolution(image_size, 3, channels, 3, 2)
    layers = [*stem, nn.ReLU6(inplace=True)]
    for expansion, filters, blocks, first_stride in MOBILENET_STAGES:
        filters = scaled(filters, width)
        for i in range(blocks):
            layers.append(InvertedResidual(size, channels, expansion * channels, filters, first_stride if i == 0 else 1))
            size, channels = layers[-1].size, filters
    layers += [*convolution(size, channels, 1280, 1, 1)[0], nn.ReLU6(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(1280, classes))


BUILDERS = {"cnn": cnn, "mlp": mlp, "mobilenetv2": mobilenetv2, "mobilenetv2-0.35": functools.partial(mobilenetv2, width=0.35)}
# pixel * scale + offset
RESCALE = {"cnn": (1 / 255, 0.0), "mlp": (1 / 255, 0.0), "mobilenetv2": (1 / 127.5, -1.0), "mobilenetv2-0.35": (1 / 127.5, -1.0)}
