"""Pretrained weights of published nets: from a file or a library into the state folder, and from there into a net."""
