"""What a device does with small image models: throughput, share of its peak, fused trainings, and packed ones.

`python -m benchmarks.device [--quick] [--json] [--device cuda|cpu] [--parts ...] [--nets ...] [--idx FOLDER]`

It needs torch, torchvision, timm, pydantic, numpy, safetensors, psutil and Pillow, and nothing else. Without a GPU it
makes all its checks, small, on the CPU, and says that the table of a GPU is still to be made. Exit code 1 where a check
fails: fused trainings must equal separate ones in double precision, and come to the same accuracies.

Time: not yet known on a GPU; four minutes on one core of a CPU, two with --quick.
"""
