"""The families that come with the package."""

from __future__ import annotations

from isoflop.families.row import Family

NORM = ("batch", "layer", "group", "instance", "none")
ACTIVATION = ("relu", "leaky_relu", "prelu", "elu", "silu", "gelu", "tanh")
ATTENTION = ("none", "se", "cbam", "ge", "nonlocal")
CONVOLUTION = ("standard", "separable", "grouped", "dilated")
DOWNSAMPLE = ("max", "average", "lp", "mixed", "stochastic", "fractional", "stride")
POOL = ("average", "max", "adaptive", "pyramid", "attention")

BUILT_IN: tuple[Family, ...] = (
    Family(
        name="basic_cnn",
        paper="none: convolution, normalization, activation, pooling, as in any tutorial",
        builder="isoflop.models.basic_cnn",
        stem=1,
        stems=(1, 2),
        knobs={
            "convolution": CONVOLUTION,
            "norm": NORM,
            "activation": ACTIVATION,
            "attention": ATTENTION,
            "downsample": DOWNSAMPLE,
            "pool": POOL,
        },
        recipe={"optim.name": "sgd", "optim.lr": 0.1, "optim.weight_decay": 5e-4},
    ),
    Family(
        name="lenet",
        paper="LeCun et al. 1998, Gradient-based learning applied to document recognition",
        builder="isoflop.models.lenet",
        stem=1,
        stems=(1, 2, 4),
        variants={"5": 32},
        recipe={"optim.name": "adamw", "optim.lr": 2e-3, "optim.weight_decay": 0.01},
    ),
    Family(
        name="vgg",
        paper="Simonyan & Zisserman 2015, Very deep convolutional networks, arXiv 1409.1556",
        builder="isoflop.models.vgg",
        stem=1,
        stems=(1, 2, 4),
        variants={"11": 224, "13": 224, "16": 224, "19": 224},
        knobs={"norm": ("none", "batch")},
        recipe={"optim.name": "sgd", "optim.lr": 0.01, "optim.weight_decay": 5e-4},
    ),
    Family(
        name="resnet",
        paper="He et al. 2016, Deep residual learning for image recognition, arXiv 1512.03385",
        builder="isoflop.models.resnet",
        stem=1,
        stems=(1, 2, 4),
        published=4,
        variants={"18": 224, "34": 224, "50": 224, "101": 224, "152": 224},
        knobs={"block": ("published", "bottleneck", "basic")},
        recipe={"optim.name": "sgd", "optim.lr": 0.1, "optim.weight_decay": 5e-4},
    ),
    Family(
        name="densenet",
        paper="Huang et al. 2017, Densely connected convolutional networks, arXiv 1608.06993",
        builder="isoflop.models.densenet",
        stem=1,
        stems=(1, 2, 4),
        published=4,
        variants={"121": 224, "161": 224, "169": 224, "201": 224},
        recipe={"optim.name": "sgd", "optim.lr": 0.1, "optim.weight_decay": 1e-4},
    ),
    Family(
        name="mobilenet_v1",
        paper="Howard et al. 2017, MobileNets, arXiv 1704.04861",
        builder="isoflop.models.mobilenet_v1",
        stem=1,
        stems=(1, 2, 4),
        published=2,
        variants={"x1.0": 224},
        recipe={"optim.name": "sgd", "optim.lr": 0.1, "optim.weight_decay": 4e-5},
    ),
    Family(
        name="mobilenet_v2",
        paper="Sandler et al. 2018, MobileNetV2, arXiv 1801.04381",
        builder="isoflop.models.mobilenet_v2",
        stem=1,
        stems=(1, 2, 4),
        published=2,
        variants={"x1.0": 224},
        recipe={"optim.name": "sgd", "optim.lr": 0.1, "optim.weight_decay": 4e-5},
    ),
    Family(
        name="mobilenet_v3",
        paper="Howard et al. 2019, Searching for MobileNetV3, arXiv 1905.02244",
        builder="isoflop.models.mobilenet_v3",
        stem=1,
        stems=(1, 2, 4),
        published=2,
        variants={"large": 224, "small": 224},
        recipe={"optim.name": "sgd", "optim.lr": 0.1, "optim.weight_decay": 4e-5},
    ),
    Family(
        name="shufflenet",
        paper="Ma et al. 2018, ShuffleNet V2, arXiv 1807.11164",
        builder="isoflop.models.shufflenet",
        stem=1,
        stems=(1, 2, 4),
        published=4,
        variants={"x1.0": 224, "x0.5": 224, "x1.5": 224, "x2.0": 224},
        recipe={"optim.name": "sgd", "optim.lr": 0.1, "optim.weight_decay": 4e-5},
    ),
    Family(
        name="efficientnet",
        paper="Tan & Le 2019, EfficientNet, arXiv 1905.11946",
        builder="isoflop.models.efficientnet",
        stem=1,
        stems=(1, 2, 4),
        published=2,
        variants={"b0": 224, "b1": 240, "b2": 260, "b3": 300, "b4": 380, "b5": 456, "b6": 528, "b7": 600},
        recipe={"optim.name": "adamw", "optim.lr": 3e-3, "optim.weight_decay": 0.02},
    ),
    Family(
        name="efficientnet_lite",
        paper="Liu 2020, Higher accuracy on vision models with EfficientNet-Lite (after arXiv 1905.11946)",
        builder="isoflop.models.efficientnet_lite",
        stem=1,
        stems=(1, 2, 4),
        published=2,
        variants={"0": 224, "1": 240, "2": 260, "3": 280, "4": 300},
        recipe={"optim.name": "adamw", "optim.lr": 3e-3, "optim.weight_decay": 0.02},
    ),
    Family(
        name="regnet",
        paper="Radosavovic et al. 2020, Designing network design spaces, arXiv 2003.13678",
        builder="isoflop.models.regnet",
        stem=1,
        stems=(1, 2, 4),
        published=2,
        variants=dict.fromkeys(
            [f"{kind}{size}" for kind in "yx" for size in ("400m", "800m", "1.6g", "3.2g", "8g", "16g")], 224
        ),
        recipe={"optim.name": "sgd", "optim.lr": 0.1, "optim.weight_decay": 5e-5},
    ),
    Family(
        name="convnext",
        paper="Liu et al. 2022, A ConvNet for the 2020s, arXiv 2201.03545",
        builder="isoflop.models.convnext",
        stem=1,
        stems=(1, 2, 4),
        published=4,
        variants={"t": 224, "s": 224, "b": 224, "l": 224},
        recipe={"optim.name": "adamw", "optim.lr": 2e-3, "optim.weight_decay": 0.05, "schedule.warmup": 0.1},
    ),
    Family(
        name="vit",
        paper="Dosovitskiy et al. 2021, An image is worth 16x16 words, arXiv 2010.11929",
        builder="isoflop.models.vit",
        stem=4,
        stems=(1, 2, 4, 7, 8, 14, 16, 32),
        published=16,
        variants={"ti": 224, "s": 224, "b": 224, "l": 224},
        recipe={"optim.name": "adamw", "optim.lr": 1e-3, "optim.weight_decay": 0.05, "schedule.warmup": 0.1},
    ),
)
